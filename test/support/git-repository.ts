import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from '../../src/adapters/processes/command.ts';
import type { CommitSha } from '../../src/plan/names.ts';

/** A real git repository on disk that tests fill with commits and that git can fetch from. */
export interface TestRepository {
  readonly folder: string;
  readonly url: string;
  /** Writes files (null removes one) on top of the branch that is checked out, and commits. */
  commit(message: string, files: Readonly<Record<string, string | null>>): Promise<CommitSha>;
  /** Checks out a new branch at a commit. */
  branch(name: string, at: string): Promise<void>;
  checkout(name: string): Promise<void>;
  ref(name: string, at: string): Promise<void>;
  git(...args: readonly string[]): Promise<string>;
}

/** A folder for a test, removed by `await using`. */
export async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'tributary-test-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Makes an empty repository with the branch `main` in `folder`. */
export async function createRepository(folder: string): Promise<TestRepository> {
  await mkdir(folder, { recursive: true });
  let clock = 1_600_000_000;
  const git = async (...args: readonly string[]) => {
    const date = `${clock} +0000`;
    const result = await run('git', args, {
      cwd: folder,
      env: {
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_CONFIG_SYSTEM: '/dev/null',
        ...person('AUTHOR', date),
        ...person('COMMITTER', date),
      },
    });
    if (result.exitCode !== 0) throw new Error(`git ${args.join(' ')}: ${result.stderr}`);
    return result.stdout.toString().trim();
  };
  await git('init', '--quiet', '--initial-branch=main');
  await git('config', 'uploadpack.allowFilter', 'true');
  await git('config', 'uploadpack.allowAnySHA1InWant', 'true');
  return {
    folder,
    url: `file://${folder}`,
    git,
    async commit(message, files) {
      clock += 60;
      for (const [path, content] of Object.entries(files)) {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        if (content === null) await rm(join(folder, path));
        else await writeFile(join(folder, path), content);
      }
      await git('add', '--all');
      await git('commit', '--quiet', '--allow-empty', '-m', message);
      return (await git('rev-parse', 'HEAD')) as CommitSha;
    },
    branch: async (name, at) => void (await git('checkout', '--quiet', '-b', name, at)),
    checkout: async (name) => void (await git('checkout', '--quiet', name)),
    ref: async (name, at) => void (await git('update-ref', name, at)),
  };
}

function person(role: 'AUTHOR' | 'COMMITTER', date: string): Record<string, string> {
  return {
    [`GIT_${role}_NAME`]: 'Test',
    [`GIT_${role}_EMAIL`]: 'test@example.com',
    [`GIT_${role}_DATE`]: date,
  };
}
