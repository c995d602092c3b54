import { tmpdir } from 'node:os';
import { FailureError } from '../../builds/failure.ts';
import { briefPatience, createPersist, type Persist } from '../persist.ts';
import { type CommandResult, run } from '../processes/command.ts';
import { GitError, passingGitTrouble } from './git-failure.ts';
import { createRedirects, traceEnvironment } from './git-redirects.ts';
import {
  type GitSetting,
  type GitSettings,
  gitEnvironment,
  gitVariables,
  reachedUrl,
} from './git-settings.ts';

interface GitOptions {
  /** URL of the server that is asked; without it, none is. */
  readonly server?: string;
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

/** How git is run. */
export interface GitConditions {
  readonly signal?: AbortSignal;
  /** How trouble with servers is waited out; default: briefly. */
  readonly persist?: Persist;
  /** Milliseconds in which a server may be silent; default: half a minute. */
  readonly idle?: number;
}

/** Makes the one function that starts git: what asks a server is asked again where its trouble may pass. */
export function createGit(settings: GitSettings, conditions: GitConditions = {}): Git {
  const { signal, idle = 30_000, persist = createPersist(briefPatience, conditions) } = conditions;
  const secrets = Object.values(settings.credentials).flatMap(({ username, password }) => [
    password,
    Buffer.from(`${username}:${password}`).toString('base64'),
  ]);
  const runGit: Git = async (
    args,
    { repository, config = [], env, expected = [0], server, ...rest } = {},
  ) => {
    const [program, ...before] = programFor(server, settings);
    const result = await run(program, [...before, ...args], {
      timeout: 300_000,
      endWhenFull: true,
      ...(server !== undefined && { idle }),
      ...rest,
      cwd: repository ?? tmpdir(),
      ...{ inherit: gitVariables, secrets },
      env: {
        ...gitEnvironment(settings, config),
        ...(repository === undefined ? {} : { GIT_DIR: repository }),
        ...env,
      },
      ...(signal === undefined ? {} : { signal }),
    });
    const authorized = server !== undefined && hasCredential(settings, server);
    if (result.timedOut)
      throw new GitError(args, result.exitCode, 'fatal: it sends nothing any more');
    if (result.truncated) throw tooLarge(args);
    if (!expected.includes(result.exitCode))
      throw new GitError(args, result.exitCode, result.stderr, authorized);
    return result;
  };
  const follow = createRedirects(settings, (server, config) =>
    runGit(['ls-remote', '--end-of-options', server], {
      ...{ server, config, env: traceEnvironment, timeout: 60_000 },
    }),
  );
  return (args, options = {}) => {
    const { server, config = [] } = options;
    if (server === undefined) return runGit(args, options);
    return persist(`git server ${hostOf(server)}`, passingGitTrouble, () =>
      follow(server, (more) => runGit(args, { ...options, config: [...config, ...more] })),
    );
  };
}

/** A signal would end git at the limit of files without a word. Of memory only what is its own counts: not the packs that it maps. */
function programFor(
  server: string | undefined,
  { fetchBytes, memoryBytes }: GitSettings,
): readonly [string, ...string[]] {
  const limits = [
    ...(fetchBytes === undefined ? [] : [`--fsize=${fetchBytes}`]),
    ...(memoryBytes === undefined ? [] : [`--data=${memoryBytes}`]),
  ];
  if (server === undefined || limits.length === 0) return ['git'];
  return ['prlimit', ...limits, 'env', '--ignore-signal=XFSZ', 'git'];
}

function hasCredential(settings: GitSettings, url: string): boolean {
  return Object.hasOwn(settings.credentials, hostOf(reachedUrl(settings, url)));
}

function hostOf(url: string): string {
  return URL.parse(url)?.host || url;
}

/** What a git command printed, without the closing newline. */
export function line(result: CommandResult): string {
  return result.stdout.toString('utf8').trimEnd();
}

function tooLarge(args: readonly string[]): FailureError {
  return new FailureError({
    reason: 'bad-product',
    detail: `git ${args[0]} printed more than can be held in memory.`,
    hint: 'Repositories with more than 1 GiB of files in one commit, or with 16 MiB in the commit itself, cannot be built.',
  });
}
