import type { CommitSha, TreeSha } from '../plan/names.ts';
import type { Mirror, Mirrors } from './git-interface.ts';

/** Answers that are kept for each mirror; the oldest are forgotten first. */
const kept = 10_000;

/** The same for files, which take more memory. */
const keptFiles = 50;

/**
 * The same mirrors for one who only asks how commits are related: what is true of two commits stays true, so it is asked of git
 * once, and a commit is fetched only when git has to look at it. Requests that name what others named cost no git process.
 */
export function remembered(mirrors: Mirrors): Mirrors {
  const opened = new WeakMap<Mirror, Mirror>();
  return {
    async mirror(repository) {
      // Where a mirror was removed meanwhile, this is another one.
      const mirror = await mirrors.mirror(repository);
      const known = opened.get(mirror) ?? remember(mirror);
      opened.set(mirror, known);
      return known;
    },
    exportAgain: (...what) => mirrors.exportAgain(...what),
  };
}

function remember(mirror: Mirror): Mirror {
  /** Where commits are fetched from when git has to look at them, those that were named last at the end. */
  const origins = new Map<CommitSha | TreeSha, string>();
  const ensure = async (...commits: readonly (CommitSha | TreeSha)[]) => {
    for (const commit of commits) {
      const url = origins.get(commit);
      if (url !== undefined) await mirror.fetch(url, [commit as CommitSha]);
    }
  };
  const once = memory(kept);
  const readOnce = memory(keptFiles);
  return {
    async fetch(url, commits) {
      for (const commit of commits) {
        origins.delete(commit);
        keep(origins, commit, url, kept);
      }
    },
    mergeBase: (a, b) =>
      once(['mergeBase', a, b], async () => {
        await ensure(a, b);
        return mirror.mergeBase(a, b);
      }),
    countAhead: (head, other) =>
      once(['countAhead', head, other], async () => {
        await ensure(head, other);
        return mirror.countAhead(head, other);
      }),
    firstParent: (commit) =>
      once(['firstParent', commit], async () => {
        await ensure(commit);
        return mirror.firstParent(commit);
      }),
    mergeOf: (commit, branch) =>
      once(['mergeOf', commit, branch], async () => {
        await ensure(commit, branch);
        return mirror.mergeOf(commit, branch);
      }),
    files: (tree, paths) => {
      const read = async () => {
        await ensure(tree);
        return mirror.files(tree, paths);
      };
      // Whole trees are large.
      return paths === undefined ? read() : readOnce([tree, ...paths], read);
    },
    treeOf: (commit) =>
      once(['treeOf', commit], async () => {
        await ensure(commit);
        return mirror.treeOf(commit);
      }),
    async merge(base, head) {
      await ensure(base, head);
      return mirror.merge(base, head);
    },
    async pick(from, head, onto) {
      await ensure(from, head, onto);
      return mirror.pick(from, head, onto);
    },
    async commitObject(commit) {
      await ensure(commit);
      return mirror.commitObject(commit);
    },
    async nearestVersion(commit) {
      await ensure(commit);
      return mirror.nearestVersion(commit);
    },
    async export(commit, folder, branch) {
      await ensure(commit);
      return mirror.export(commit, folder, branch);
    },
    apply: (tree, patch) => mirror.apply(tree, patch),
    replaceFiles: (tree, files) => mirror.replaceFiles(tree, files),
    fetchTags: () => mirror.fetchTags(),
  };
}

/** Runs work once for each question, also for those who ask meanwhile. A failure is not kept. */
function memory(limit: number) {
  const answers = new Map<string, Promise<unknown>>();
  return <Value>(question: readonly string[], work: () => Promise<Value>): Promise<Value> => {
    const key = question.join(' ');
    const known = answers.get(key) as Promise<Value> | undefined;
    if (known !== undefined) return known;
    const answer = work();
    keep(answers, key, answer, limit);
    answer.catch(() => answers.delete(key));
    return answer;
  };
}

/** Adds to a map that holds at most so many: the oldest goes. */
function keep<Key, Value>(map: Map<Key, Value>, key: Key, value: Value, limit: number): void {
  const [oldest] = map.keys();
  if (map.size >= limit && oldest !== undefined) map.delete(oldest);
  map.set(key, value);
}
