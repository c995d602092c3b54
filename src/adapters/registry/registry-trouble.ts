import { stripVTControlCharacters } from 'node:util';
import { meansNoSpace, noSpace } from '../../builds/disk-full.ts';
import { FailureError } from '../../builds/failure.ts';
import { harmless } from '../../steps/log-file.ts';
import { unusable } from '../../steps/registry-content.ts';
import type { Passing } from '../persist.ts';
import { hostOf } from './reach.ts';

/**
 * What a registry's refusal means. `not-found`: no such repository, tag or digest. `denied`: no credential,
 * or not enough of one. `passing`: trying again may help. `garbled`: the bytes are not what they should be, which trying
 * again may help, too, unless it is the registry that has them so. `unusable`: no registry should answer so, and no question
 * will change it. `other`: nothing helps.
 */
export type Trouble = 'not-found' | 'denied' | 'passing' | 'garbled' | 'unusable' | 'other';

/** A registry did not do what it was asked to do. */
export class RegistryTrouble extends Error {
  readonly trouble: Trouble;
  /** Milliseconds that the registry asks to be left alone. */
  readonly after: number | undefined;

  constructor(trouble: Trouble, message: string, after?: number) {
    super(plainLine(message));
    this.name = 'RegistryTrouble';
    this.trouble = trouble;
    this.after = after;
  }

  /** Reads what skopeo 1.9 and buildah 1.28 wrote to stderr: they have one exit code for everything. */
  static fromMessages(stderr: string): RegistryTrouble {
    const message = lastLine(stderr);
    // Digests and ports hold digits that look like status codes.
    const text = message.replaceAll(/sha256:[0-9a-f]{64}|:\d+\//g, '');
    const trouble = meanings.find(([, pattern]) => pattern.test(text))?.[0] ?? 'other';
    return new RegistryTrouble(trouble, message);
  }

  /** The meaning of an HTTP status. */
  static fromStatus(status: number, url: string, retryAfter: string | null): RegistryTrouble {
    const message = `${url} answered ${status}`;
    if (status === 404) return new RegistryTrouble('not-found', message);
    if (status === 401 || status === 403) return new RegistryTrouble('denied', message);
    if (status !== 429 && status !== 408 && status < 500)
      return new RegistryTrouble('other', message);
    const seconds = /^\d{1,6}$/.test(retryAfter ?? '') ? Number(retryAfter) : undefined;
    return new RegistryTrouble('passing', message, seconds && seconds * 1000);
  }
}

/** What of a registry's trouble may be over in a moment. */
export function passingTrouble(error: unknown): Passing | undefined {
  if (!(error instanceof RegistryTrouble)) return undefined;
  const { trouble, after, message: why } = error;
  if (trouble === 'garbled') return { why, tries: 3 };
  if (trouble !== 'passing') return undefined;
  return { why, ...(after !== undefined && { after }) };
}

/** The failure to tell people when something with `reference` did not work. */
export function registryFailure(reference: string, trouble: RegistryTrouble): FailureError {
  const host = hostOf(reference);
  // Its own words of a full disk do not reach us: this one is ours.
  if (meansNoSpace(trouble.message)) return new FailureError(noSpace(undefined, trouble.message));
  if (trouble.trouble === 'garbled' || trouble.trouble === 'unusable')
    return unusable(reference, trouble.message);
  const hints: Readonly<Record<Exclude<Trouble, 'garbled' | 'unusable'>, string>> = {
    'not-found': 'Check the name, and that it was pushed.',
    denied: `Log in with \`skopeo login ${host}\`, or name a containers-auth.json(5) with access as \`authfile\` in the configuration.`,
    passing: `Check that ${host} runs and can be reached from here, then ask again: what was finished is kept. A registry whose storage is full answers 500 to what is pushed: its own log says so. One that is reachable elsewhere can be named under \`mirrors\`.`,
    other: `See what ${host} says. Plain HTTP must be allowed: \`registries: {"${host}": {insecure: true}}\`. An authority of its own must be among those of this machine (\`update-ca-certificates\`), or in the file that SSL_CERT_FILE names.`,
  };
  return new FailureError({
    reason: trouble.trouble === 'denied' ? 'registry-denied' : 'registry-unavailable',
    detail: `${reference}: ${trouble.message}`,
    hint: hints[trouble.trouble],
    about: { registry: host },
  });
}

/** What others wrote, as part of a sentence of ours: on one line, not long, without what steers a terminal, and without credentials. */
function plainLine(text: string): string {
  const plain = stripVTControlCharacters(harmless(text.slice(0, 64 * 1024)))
    .replace(/\b(basic|bearer) +[\w.~+/=-]{8,}/gi, '$1 …')
    .replace(/\p{Bidi_Control}/gu, '')
    .replace(/\s+/g, ' ')
    .trim();
  return plain.length <= mostCharacters ? plain : `${plain.slice(0, mostCharacters)}…`;
}

const mostCharacters = 600;

const meanings: readonly (readonly [Trouble, RegExp])[] = [
  // A blob that is longer than its manifest says meets the limit of what skopeo may write.
  ['unusable', /: file too large$/],
  // A registry that was started anew has forgotten the uploads that were under way.
  ['passing', /blob upload (unknown|invalid)/i],
  [
    'garbled',
    /digest did not match|invalid character .* looking for|unexpected end of JSON|does not match (its digest|digest|expected)|digest mismatch|digest invalid/i,
  ],
  ['not-found', /manifest unknown|name unknown|repository name not known|blob unknown|\b404\b/i],
  [
    'denied',
    /unauthorized|authentication required|access denied|: denied\b|\b40[13]\b|forbidden|invalid username/i,
  ],
  [
    'passing',
    /refused|V1 container registry|connection reset|timeout|timed out|deadline exceeded|\bEOF\b|stream error|connection closed|broken pipe|too ?many ?requests|\b429\b|\b5\d\d\b|server misbehaving|temporary failure|no route to host|network is unreachable/i,
  ],
];

/** The last line of a program's complaints, without its log prefix; what it says for its own developers is none. */
function lastLine(stderr: string): string {
  const lines = stderr.trim().split('\n');
  const line = lines.findLast((text) => !text.includes(' level=debug ')) ?? '';
  const quoted = /\bmsg=("(?:[^"\\]|\\.)*")/.exec(line)?.[1];
  return quoted === undefined ? line.replace(/^Error: /, '') : unquote(quoted);
}

/** Go's quoted text, which is not JSON: what a registry says may hold any byte (`\x1b`, `\a`). */
function unquote(quoted: string): string {
  const escapes = /\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))/gs;
  return quoted.slice(1, -1).replace(escapes, (_, ...[x, u, long, one = '']: string[]) => {
    const code = x ?? u ?? long;
    if (code !== undefined)
      return String.fromCodePoint(Math.min(Number.parseInt(code, 16), 0x10ffff));
    return /[abfnrtv]/.test(one) ? ' ' : one;
  });
}
