import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FailureError } from '../../builds/failure.ts';
import { type CommitSha, parseCommitSha } from '../../plan/names.ts';
import { quote } from '../../request/quote.ts';
import { refNameProblem } from '../../request/ref-name.ts';
import { line } from './git-command.ts';
import { askServer } from './git-failure.ts';
import type { GitStore } from './git-store.ts';
import { withRepositoryLock } from './repository-lock.ts';

interface Export {
  readonly whole: string;
  readonly folder: string;
  readonly branch: string;
}

/**
 * Writes a bare repository to `folder` that serves `commit` as `branch` (or a full ref) and HEAD. Any git client can fetch
 * it: its whole history is there, because a client refuses what comes from a shallow repository, and git serves nothing
 * that a partial one lacks. The history is in `whole`, a bare repository that all exports of a mirror share. What was in
 * `folder` is replaced.
 */
export async function exportCommit(
  store: GitStore,
  commit: CommitSha,
  { whole, folder, branch }: Export,
): Promise<void> {
  await withRepositoryLock(whole, async () => {
    if (store.originOf(commit) !== undefined) await fetchWhole(store, commit, whole);
    else await copyMade(store, commit, whole);
  });
  await writeRepository(commit, { whole, folder, branch });
}

/** A commit that was made here, on parents that came from servers. */
async function copyMade(store: GitStore, commit: CommitSha, whole: string): Promise<void> {
  const parents = await parentsOf(store, commit);
  for (const parent of parents) await fetchWhole(store, parent, whole);
  await store.ensureBlobs(await store.blobsOf(commit));
  await copyNew(store, commit, parents, whole);
}

async function parentsOf(store: GitStore, commit: CommitSha): Promise<CommitSha[]> {
  const shown = line(await store.run(['rev-list', '--parents', '--max-count=1', commit]));
  return shown
    .split(' ')
    .slice(1)
    .map(parseCommitSha)
    .filter((parent) => parent !== undefined);
}

async function fetchWhole(store: GitStore, commit: CommitSha, whole: string): Promise<void> {
  const url = store.originOf(commit);
  if (url === undefined) throw new Error(`no server is known for ${commit}`);
  const ref = `refs/pinned/${commit}`;
  const known = await store.git(['rev-parse', '--verify', '--quiet', ref], {
    repository: whole,
    expected: [0, 1],
  });
  if (line(known) === commit) return;
  const options = ['--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance'];
  await askServer(url, () =>
    store.git(['fetch', ...options, '--end-of-options', url, `+${commit}:${ref}`], {
      repository: whole,
      server: url,
      timeout: 900_000,
    }),
  );
}

/** The commit, and the trees and files that none of its parents has. */
async function copyNew(
  store: GitStore,
  commit: CommitSha,
  parents: readonly CommitSha[],
  whole: string,
): Promise<void> {
  const listed = await store.run([
    'rev-list',
    '--objects',
    commit,
    ...parents.map((parent) => `^${parent}`),
  ]);
  const objects = listed.stdout
    .toString('utf8')
    .split('\n')
    .map((row) => row.split(' ')[0]);
  const packed = await store.run(['pack-objects', '--quiet', '--stdout', '--threads=1'], {
    input: objects.join('\n'),
  });
  await store.git(['index-pack', '--stdin', '--fix-thin'], {
    repository: whole,
    input: packed.stdout,
  });
  await store.git(['update-ref', `refs/made/${commit}`, commit], { repository: whole });
}

/**
 * {@link exportCommit} of a commit whose history an earlier export brought into `whole`; false, and nothing is done, where none did.
 */
export async function exportAgain(
  commit: CommitSha,
  { whole, folder, branch }: Export,
): Promise<boolean> {
  const isThere = await anyExists(
    ['made', 'pinned'].map((kind) => join(whole, 'refs', kind, commit)),
  );
  if (isThere) await writeRepository(commit, { whole, folder, branch });
  return isThere;
}

async function anyExists(files: readonly string[]): Promise<boolean> {
  const found = await Promise.allSettled(files.map((file) => access(file)));
  return found.some(({ status }) => status === 'fulfilled');
}

/** A bare repository as gitrepository-layout(5) describes it: all of its objects are those of `whole`. */
async function writeRepository(
  commit: CommitSha,
  { whole, folder, branch }: Export,
): Promise<void> {
  const ref = branch.startsWith('refs/') ? branch : `refs/heads/${branch}`;
  const problem = refNameProblem(ref);
  if (problem !== undefined) throw unusableBranch(branch, problem);
  await mkdir(dirname(folder), { recursive: true });
  const draft = await mkdtemp(join(dirname(folder), `.${basename(folder)}-`));
  const files = {
    HEAD: `ref: ${ref}\n`,
    config: '[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n',
    'objects/info/alternates': `${join(whole, 'objects')}\n`,
    [ref]: `${commit}\n`,
  };
  try {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(draft, name)), { recursive: true });
      await writeFile(join(draft, name), content);
    }
    await rm(folder, { recursive: true, force: true });
    await rename(draft, folder);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

function unusableBranch(branch: string, problem: string): FailureError {
  return new FailureError({
    reason: 'bad-product',
    detail: `The branch ${quote(branch)} cannot be served: ${problem}.`,
    hint: 'Correct the branch of the entry in upstream_sources.yaml.',
  });
}
