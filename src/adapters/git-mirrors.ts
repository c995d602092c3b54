import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type CommitSha, parseCommitSha } from '../plan/names.ts';
import type { Mirror, Mirrors } from '../resolve/git-interface.ts';
import { merge, mergeBases, pick } from './git-combine.ts';
import { type Git, line } from './git-command.ts';
import { exportCommit } from './git-export.ts';
import { readFiles } from './git-files.ts';
import { applyPatch } from './git-patch.ts';
import { replaceFiles } from './git-replace-files.ts';
import { GitStore } from './git-store.ts';
import { fetchTags, nearestVersion } from './git-versions.ts';

/**
 * Keeps mirrors in `folder`, one for each repository; forks are fetched into the mirror of what they forked.
 * `wholes`: where the whole histories behind exported commits are kept.
 */
export function createMirrors(git: Git, folder: string, wholes: string): Mirrors {
  const opened = new Map<string, Promise<Mirror>>();
  return {
    mirror(repository) {
      const known = opened.get(repository);
      if (known !== undefined) return known;
      const opening = openMirror(git, { folder, wholes }, repository);
      opened.set(repository, opening);
      opening.catch(() => opened.delete(repository));
      return opening;
    },
  };
}

async function openMirror(
  git: Git,
  { folder, wholes }: { readonly folder: string; readonly wholes: string },
  url: string,
): Promise<Mirror> {
  const path = join(folder, mirrorName(url));
  await createRepository(git, folder, path);
  const store = new GitStore(git, path);
  return {
    fetch: (from, commits) => store.fetchCommits(from, commits),
    mergeBase: async (a, b) => (await mergeBases(store, a, b))[0],
    countAhead: (head, other) => countAhead(store, head, other),
    firstParent: (commit) => firstParent(store, commit),
    mergeOf: (commit, branch) => mergeOf(store, commit, branch),
    treeOf: async (commit) => {
      await store.ensureTrees([commit]);
      return store.treeOf(commit);
    },
    merge: (base, head) => merge(store, base, head),
    pick: (from, head, onto) => pick(store, from, head, onto),
    files: (tree, paths) => readFiles(store, tree, paths),
    apply: (tree, patch) => applyPatch(store, tree, patch),
    replaceFiles: (tree, files) => replaceFiles(store, tree, files),
    commitObject: async (commit) => (await store.run(['cat-file', 'commit', commit])).stdout,
    fetchTags: () => fetchTags(store, url),
    nearestVersion: (commit) => nearestVersion(store, commit),
    export: (commit, target, branch) =>
      exportCommit(store, commit, { whole: join(wholes, basename(path)), folder: target, branch }),
  };
}

/** Readable, and its own for every URL: `github.com+tektoncd+pipeline-1f2e3d4c.git`. */
function mirrorName(url: string): string {
  const readable = url
    .replace(/^[a-z]+:\/+/, '')
    .replace(/[^A-Za-z0-9._-]+/g, '+')
    .slice(-80);
  return `${readable}-${createHash('sha256').update(url).digest('hex').slice(0, 8)}.git`;
}

/** Made aside and renamed, so that nobody meets half a repository. */
async function createRepository(git: Git, folder: string, path: string): Promise<void> {
  if (await exists(path)) return;
  await mkdir(folder, { recursive: true });
  const draft = await mkdtemp(join(folder, `.${basename(path)}-`));
  try {
    await git(['init', '--quiet', '--bare', '--template=', draft]);
    await mkdir(join(draft, 'info'), { recursive: true });
    await writeFile(join(draft, 'info', 'attributes'), attributes);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Someone else was quicker.
    if (!(await exists(path))) throw error;
  }
}

/** Nothing in a repository may change how its own files are merged, patched or read. */
const attributes =
  '* !merge !diff !filter !whitespace !conflict-marker-size !working-tree-encoding !export-ignore !export-subst -text -eol -ident\n';

async function countAhead(store: GitStore, head: CommitSha, other: CommitSha): Promise<number> {
  return Number(line(await store.run(['rev-list', '--count', head, `^${other}`])));
}

async function firstParent(store: GitStore, commit: CommitSha): Promise<CommitSha | undefined> {
  const parent = await store.run(['rev-parse', '--verify', '--quiet', `${commit}^1`], {
    expected: [0, 1],
  });
  return parseCommitSha(line(parent));
}

async function mergeOf(
  store: GitStore,
  commit: CommitSha,
  branch: CommitSha,
): Promise<CommitSha | undefined> {
  const walk = ['rev-list', '--first-parent', '--ancestry-path'];
  const path = line(await store.run([...walk, `${commit}..${branch}`])).split('\n');
  const oldest = parseCommitSha(path.at(-1) ?? '');
  if (oldest === undefined) return undefined;
  // A child of `commit` on the line itself: it was no merge that brought it in.
  return (await firstParent(store, oldest)) === commit ? undefined : oldest;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
