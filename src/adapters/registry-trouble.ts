import { FailureError } from '../builds/failure.ts';
import { hostOf } from './reach.ts';

/**
 * What a registry's refusal means. `not-found`: no such repository, tag or digest. `denied`: no credential,
 * or not enough of one. `passing`: trying again may help. `other`: it will not.
 */
export type Trouble = 'not-found' | 'denied' | 'passing' | 'other';

/** A registry did not do what it was asked to do. */
export class RegistryTrouble extends Error {
  readonly trouble: Trouble;

  constructor(trouble: Trouble, message: string) {
    super(message);
    this.name = 'RegistryTrouble';
    this.trouble = trouble;
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
  static fromStatus(status: number, url: string): RegistryTrouble {
    const message = `${url} answered ${status}`;
    if (status === 404) return new RegistryTrouble('not-found', message);
    if (status === 401 || status === 403) return new RegistryTrouble('denied', message);
    return new RegistryTrouble(status === 429 || status >= 500 ? 'passing' : 'other', message);
  }
}

/** The failure to tell people when something with `reference` did not work. */
export function registryUnavailable(reference: string, trouble: RegistryTrouble): FailureError {
  const host = hostOf(reference);
  const hints: Readonly<Record<Trouble, string>> = {
    'not-found': 'Check the name, and that it was pushed.',
    denied: `Log in with \`skopeo login ${host}\`, or name a containers-auth.json(5) with access as \`authfile\` in the configuration.`,
    passing: `Check that ${host} runs and can be reached from here, then ask again: what was finished is kept. A registry that is reachable elsewhere can be named under \`mirrors\`.`,
    other: `See what ${host} says. Plain HTTP or an unknown certificate must be allowed: \`registries: {"${host}": {insecure: true}}\`.`,
  };
  return new FailureError({
    reason: 'registry-unavailable',
    detail: `${reference}: ${trouble.message}`,
    hint: hints[trouble.trouble],
    about: { registry: host },
  });
}

const meanings: readonly (readonly [Trouble, RegExp])[] = [
  ['not-found', /manifest unknown|name unknown|repository name not known|blob unknown|\b404\b/i],
  [
    'denied',
    /unauthorized|authentication required|access denied|: denied\b|\b40[13]\b|forbidden|invalid username/i,
  ],
  [
    'passing',
    /refused|V1 container registry|connection reset|timeout|timed out|deadline exceeded|\bEOF\b|broken pipe|too ?many ?requests|\b429\b|\b5\d\d\b|server misbehaving|temporary failure|no route to host|network is unreachable/i,
  ],
];

/** The last line of a program's complaints, without its log prefix. */
function lastLine(stderr: string): string {
  const line = stderr.trim().split('\n').at(-1) ?? '';
  const quoted = /\bmsg=("(?:[^"\\]|\\.)*")/.exec(line)?.[1];
  return quoted === undefined ? line.replace(/^Error: /, '') : (JSON.parse(quoted) as string);
}
