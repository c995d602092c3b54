import { tmpdir } from 'node:os';
import { FailureError } from '../builds/failure.ts';
import { type CommandResult, run } from './command.ts';
import { type GitSetting, type GitSettings, gitEnvironment, gitVariables } from './git-settings.ts';

interface GitOptions {
  /** The repository; without it, git is in none. */
  readonly repository?: string;
  readonly config?: readonly GitSetting[];
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  readonly maxOutput?: number;
  /** Milliseconds; default: 5 minutes. */
  readonly timeout?: number;
  /** Exit codes that are answers, not failures; default: 0 alone. */
  readonly expected?: readonly number[];
}

/** Runs git without anything of the user's configuration; an unexpected exit code is thrown as a {@link GitError}. */
export type Git = (args: readonly string[], options?: GitOptions) => Promise<CommandResult>;

/** Git said no: what it was asked for and what it said. Callers that know why turn it into a failure. */
export class GitError extends Error {
  readonly stderr: string;

  constructor(args: readonly string[], exitCode: number, stderr: string) {
    super(`git ${args[0]} ended with ${exitCode}: ${stderr.trim().slice(-2000)}`);
    this.name = 'GitError';
    this.stderr = stderr;
  }
}

/** Makes the one function that starts git. */
export function createGit(settings: GitSettings, signal?: AbortSignal): Git {
  return async (args, options = {}) => {
    const { repository, config = [], env, expected = [0], ...rest } = options;
    const result = await run('git', args, {
      timeout: 300_000,
      ...rest,
      cwd: repository ?? tmpdir(),
      inherit: gitVariables,
      env: {
        ...gitEnvironment(settings, config),
        ...(repository === undefined ? {} : { GIT_DIR: repository }),
        ...env,
      },
      ...(signal === undefined ? {} : { signal }),
    });
    if (result.timedOut) throw new GitError(args, result.exitCode, 'fatal: git timed out');
    if (result.truncated) throw tooLarge(args);
    if (!expected.includes(result.exitCode))
      throw new GitError(args, result.exitCode, result.stderr);
    return result;
  };
}

/** What a git command printed, without the closing newline. */
export function line(result: CommandResult): string {
  return result.stdout.toString('utf8').trimEnd();
}

function tooLarge(args: readonly string[]): FailureError {
  return new FailureError({
    reason: 'bad-product',
    detail: `git ${args[0]} printed more than can be held in memory.`,
    hint: 'Repositories with more than 1 GiB of files in one commit cannot be built.',
  });
}
