import { createHash } from 'node:crypto';
import { access, mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CommitSha, parseCommitSha } from '../../plan/names.ts';
import type { Mirror, Mirrors } from '../../resolve/git-interface.ts';
import type { FileLock } from '../storage/file-lock.ts';
import { openShelf, type Shelf } from '../storage/shelf.ts';
import { merge, mergeBases, pick } from './git-combine.ts';
import { type Git, line } from './git-command.ts';
import { exportAgain, exportCommit } from './git-export.ts';
import { readFiles } from './git-files.ts';
import { applyPatch } from './git-patch.ts';
import { replaceFiles } from './git-replace-files.ts';
import { GitStore } from './git-store.ts';
import { fetchTags, nearestVersion } from './git-versions.ts';

/**
 * Keeps mirrors on a shelf, one for each repository; forks are fetched into the mirror of what they forked.
 * `wholes`: where the whole histories behind exported commits are kept. `hold`: milliseconds that a mirror is held after it was
 * asked for; default: as long as this process lives.
 */
export function createMirrors(
  git: Git,
  shelf: Shelf,
  wholes: string,
  hold?: number,
): OpenedMirrors {
  const opened = new Map<string, OpenMirror>();
  const used = new Set<string>();
  const open = (url: string): OpenMirror => {
    const name = mirrorName(url);
    const path = join(shelf.folder, name);
    const lock = shelf.hold(name, (draft) => initialize(git, draft));
    const mirror = lock.then(() => {
      used.add(path);
      return describeMirror(git, path, wholes, url, used);
    });
    lock.catch(() => opened.delete(url));
    return { lock, path, mirror };
  };
  const letGo = (url: string, { lock }: OpenMirror) => {
    opened.delete(url);
    void lock.then(({ release }) => release()).catch(() => {});
  };
  return {
    async mirror(url) {
      const before = opened.get(url);
      // Whoever removes a cache does so while it is used, too.
      const gone = before && (await before.mirror.then(() => isLost(before.path)));
      if (before && gone && opened.get(url) === before) letGo(url, before);
      const one = opened.get(url) ?? open(url);
      opened.set(url, one);
      clearTimeout(one.timer);
      if (hold !== undefined) one.timer = setTimeout(() => letGo(url, one), hold).unref();
      return one.mirror;
    },
    async exportAgain(url, commit, target, branch) {
      const whole = join(wholes, mirrorName(url));
      const isThere = await exportAgain(commit, { whole, folder: target, branch });
      // Room may have been made for others until the export was there to keep it.
      if (!isThere || (await isLost(whole))) return false;
      used.add(whole);
      return true;
    },
    close() {
      for (const [url, one] of [...opened]) {
        clearTimeout(one.timer);
        letGo(url, one);
      }
    },
    async lost(patience) {
      for (let left = patience; ; left -= 50) {
        const lost = await Promise.all([...used].map(isLost));
        if (lost.includes(true) || left <= 0) return lost.includes(true);
        await sleep(50);
      }
    },
  };
}

/** Mirrors, and whether those that were used are there still. */
export interface OpenedMirrors extends Mirrors {
  /** Whether somebody removed one, waiting so many milliseconds for it: files go before their folder does. */
  lost(patience: number): Promise<boolean>;
  /** Lets go of all. */
  close(): void;
}

interface OpenMirror {
  readonly lock: Promise<FileLock>;
  readonly path: string;
  readonly mirror: Promise<Mirror>;
  timer?: NodeJS.Timeout;
}

async function isLost(repository: string): Promise<boolean> {
  return access(join(repository, 'HEAD')).then(
    () => false,
    () => true,
  );
}

function describeMirror(
  git: Git,
  path: string,
  wholes: string,
  url: string,
  used: Set<string>,
): Mirror {
  const name = basename(path);
  const whole = join(wholes, name);
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
    commitObject: async (commit) => (await store.commitObject(commit)).stdout,
    fetchTags: () => fetchTags(store, url),
    nearestVersion: (commit) => nearestVersion(store, commit),
    export: async (commit, target, branch) => {
      await using _held = await openShelf(wholes).hold(name, (draft) => initialize(git, draft));
      await exportCommit(store, commit, { whole, folder: target, branch });
      used.add(whole);
    },
  };
}

/** Readable, and its own for every URL: `github.com+tektoncd+pipeline-1f2e3d4c.git`. */
function mirrorName(url: string): string {
  const readable = url
    .replace(/^[a-z]+:\/+/, '')
    .replace(/[^A-Za-z0-9._-]+/g, '+')
    .slice(-80)
    .replace(/^\.+/, '');
  return `${readable}-${createHash('sha256').update(url).digest('hex').slice(0, 8)}.git`;
}

async function initialize(git: Git, folder: string): Promise<void> {
  await git(['init', '--quiet', '--bare', '--template=', folder]);
  await mkdir(join(folder, 'info'), { recursive: true });
  await writeFile(join(folder, 'info', 'attributes'), attributes);
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
