import pRetry from 'p-retry';
import { type Failure, FailureError } from '../builds/failure.ts';
import { GitError } from './git-command.ts';

/**
 * Runs git against a server: asks again where the server may only be out of breath, and throws
 * FailureError where it says no or does not answer.
 */
export async function askServer<Value>(url: string, ask: () => Promise<Value>): Promise<Value> {
  try {
    return await pRetry(ask, {
      retries: 2,
      minTimeout: 300,
      factor: 4,
      shouldRetry: ({ error }) =>
        error instanceof GitError && kindOf(error.stderr) === 'unreachable',
    });
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    throw new FailureError(serverFailure(url, error.stderr));
  }
}

/** Whether git said that the server does not have an object that was asked for by its name. */
export function meansNoObject(error: unknown): boolean {
  return error instanceof GitError && kindOf(error.stderr) === 'no-object';
}

/** What a server's refusal means, told with the remedy. */
export function serverFailure(url: string, stderr: string): Failure {
  const kind = kindOf(stderr);
  switch (kind) {
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
    case 'unreachable':
      return {
        reason: 'git-unavailable',
        detail: `${url}: the git server does not answer as it should: ${lastLine(stderr)}.`,
        hint: 'Try again in a moment. If it stays so, check from this machine with `git ls-remote`, and look at urls, git.ca and git.credentials in the configuration.',
      };
  }
}

type Kind = 'no-repository' | 'no-object' | 'not-allowed' | 'unreachable';

function kindOf(stderr: string): Kind {
  return kinds.find(([pattern]) => pattern.test(stderr))?.[1] ?? 'unreachable';
}

/**
 * Messages of git 2.39 and the servers behind it. A forge answers 401 or 404 for what it does not
 * want to show, and git then asks for a user name.
 */
const kinds: readonly (readonly [RegExp, Kind])[] = [
  [/transport '[^']*' not allowed/, 'not-allowed'],
  [/not our ref|couldn't find remote ref|unadvertised object|bad object/i, 'no-object'],
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
