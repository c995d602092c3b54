import { noSpace } from '../../builds/disk-full.ts';
import { type Failure, FailureError } from '../../builds/failure.ts';
import type { Passing } from '../persist.ts';

/** Git said no: what it was asked for and what it said. Callers that know why turn it into a failure. */
export class GitError extends Error {
  readonly stderr: string;
  /** Whether the server was shown a credential of ours. */
  readonly authorized: boolean;

  constructor(args: readonly string[], exitCode: number, stderr: string, authorized = false) {
    super(`git ${args[0]} ended with ${exitCode}: ${stderr.trim().slice(-2000)}`);
    this.name = 'GitError';
    this.stderr = stderr;
    this.authorized = authorized;
  }
}

/** Asks a server by git, and throws FailureError where it says no or does not answer. */
export async function askServer<Value>(url: string, ask: () => Promise<Value>): Promise<Value> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    throw new FailureError(serverFailure(url, error.stderr, error.authorized));
  }
}

/** What of git's complaints about a server may be over in a moment. */
export function passingGitTrouble(error: unknown): Passing | undefined {
  if (!(error instanceof GitError) || kindOf(error.stderr) !== 'unreachable') return undefined;
  if (error.stderr.trim() !== '' && !passing.test(error.stderr)) return undefined;
  return { why: lastLine(error.stderr) };
}

/** Whether git said that the server does not have an object that was asked for by its name. */
export function meansNoObject(error: unknown): boolean {
  return error instanceof GitError && kindOf(error.stderr) === 'no-object';
}

/** What a server's refusal means, told with the remedy. */
export function serverFailure(url: string, stderr: string, authorized = false): Failure {
  const kind = kindOf(stderr);
  if (authorized && refused.test(stderr)) return refusedCredential(url);
  switch (kind) {
    case 'no-space':
      return noSpace(undefined, `while git fetched from ${url}: ${lastLine(stderr)}`);
    case 'too-large':
      return {
        reason: 'unusable-files',
        detail: `${url}: what the git server sends is larger than one fetch may be here.`,
        hint: 'The limit is `limits: {fetch-mib: …}` in the configuration; the operator of this service can raise it.',
      };
    case 'too-heavy':
      return {
        reason: 'unusable-files',
        detail: `${url}: what the git server sends takes more memory than git may have here: ${lastLine(stderr)}.`,
        hint: 'The limit is `limits: {git-memory-mib: …}` in the configuration; the operator of this service can raise it.',
      };
    case 'no-repository':
      return {
        reason: 'ref-not-found',
        detail: `${url}: no such repository.`,
        hint: 'Check owner and name. If the repository is private, add a credential for its host to the configuration (git.credentials).',
      };
    case 'no-object':
      return {
        reason: 'ref-not-found',
        detail: `${url}: the server no longer has the commit that was asked for.`,
        hint: 'It was probably replaced by a force push. Ask again to build what the ref names now.',
      };
    case 'not-allowed':
      return {
        reason: 'host-not-allowed',
        detail: `${url}: git may not use this protocol.`,
        hint: 'Use an https URL.',
      };
    case 'untrusted':
      return {
        reason: 'git-unavailable',
        detail: `${url}: the certificate of the git server is not trusted here: ${lastLine(stderr)}.`,
        hint: 'Name a file with its certificate authority as `git.ca` in the configuration.',
      };
    case 'machine':
      return {
        reason: 'step-crashed',
        detail: `${url}: what the git server sent cannot be kept: ${lastLine(stderr)}.`,
        hint: 'Check that the disk that holds the state folder may be written to; then ask again.',
      };
    case 'unreachable':
      return {
        reason: 'git-unavailable',
        detail: `${url}: the git server does not answer as it should: ${lastLine(stderr)}.`,
        hint: 'Try again in a moment. If it stays so, check from this machine with `git ls-remote`, and look at urls, git.ca and git.credentials in the configuration.',
      };
  }
}

/** A server that was shown a credential knows it no longer, or never did. */
const refused = /could not read (Username|Password)|authentication failed|error: 40[13]/i;

function refusedCredential(url: string): Failure {
  return {
    reason: 'git-denied',
    detail: `${url}: the git server refuses the credential that is configured for it.`,
    hint: `It may have expired: renew the one of ${URL.parse(url)?.host ?? url} (git.credentials in the configuration). It must allow to read this repository.`,
  };
}

/** Of the network, of servers that are overloaded, and of packs that were cut or damaged on their way. */
const passing = new RegExp(
  [
    'could not resolve|failed to connect|connect to|connection (refused|reset|closed|timed out)|connection was',
    'timed out|timeout|broken pipe|network is unreachable|no route to host|empty reply|gnutls|ssl_|tls',
    'error: (408|429|5\\d\\d)|rpc failed|curl \\d|http/2|transfer closed|sends nothing any more',
    'early eof|unexpected disconnect|hung up|unexpected end|protocol error|bad line length|expected flush|bad band',
    'index-pack|inflate|unpack-objects|bad pack|pack (has|is|signature)|packfile|expected .* (but )?got|unexpected',
    'invalid server response|unable to (rewind|parse)|not valid: is this a git repository',
  ].join('|'),
  'i',
);

type Kind =
  | 'too-large'
  | 'too-heavy'
  | 'no-space'
  | 'no-repository'
  | 'no-object'
  | 'not-allowed'
  | 'untrusted'
  | 'machine'
  | 'unreachable';

function kindOf(stderr: string): Kind {
  return kinds.find(([pattern]) => pattern.test(stderr))?.[1] ?? 'unreachable';
}

/**
 * Messages of git 2.39 and the servers behind it. A forge answers 401 or 404 for what it does not
 * want to show, and git then asks for a user name.
 */
const kinds: readonly (readonly [RegExp, Kind])[] = [
  [/^(?!remote:).*(no space left on device|disk quota exceeded)/im, 'no-space'],
  [/^(?!remote:).*file too large/im, 'too-large'],
  [/^(?!remote:).*(out of memory|cannot allocate memory)/im, 'too-heavy'],
  [/transport '[^']*' not allowed/, 'not-allowed'],
  [/certificate (problem|verification)|unable to get local issuer/i, 'untrusted'],
  [/^(?!remote:).*read-only file system/im, 'machine'],
  [
    /not our ref|couldn't find remote ref|unadvertised object|(?<!pack has )bad object/i,
    'no-object',
  ],
  [
    /repository '[^']*' not found|repository not found|does not appear to be a git repository|could not read (Username|Password)|authentication failed|terminal prompts disabled|error: 403|error: 404/i,
    'no-repository',
  ],
];

function lastLine(stderr: string): string {
  const lines = stderr
    .split('\n')
    .filter((text) => /^(fatal|error|remote|ssh)\b/.test(text.trim()));
  const chosen = lines[0] ?? stderr.trim().split('\n').at(-1) ?? '';
  return (
    chosen
      .replace(/^fatal: /, '')
      .trim()
      .replace(/\.$/, '')
      .slice(0, 300) || 'it said nothing'
  );
}
