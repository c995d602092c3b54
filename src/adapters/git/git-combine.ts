import { type CommitSha, parseCommitSha, parseTreeSha, type TreeSha } from '../../plan/names.ts';
import type { Combination, Conflict } from '../../resolve/git-interface.ts';
import { line } from './git-command.ts';
import type { GitStore } from './git-store.ts';

/** `head` merged into `base`. Where one holds the other already, it is the result: nothing is made up. */
export async function merge(
  store: GitStore,
  base: CommitSha,
  head: CommitSha,
): Promise<Combination> {
  const bases = await mergeBases(store, base, head);
  if (bases.length === 0) return { kind: 'unrelated' };
  if (bases[0] === head) return existing(store, base);
  if (bases[0] === base) return existing(store, head);
  for (const ancestor of bases) store.adopt(ancestor, base);
  await ensureWhole(store, [...bases, base, head]);
  const tree = await mergeTrees(store, base, head);
  if (typeof tree !== 'string') return tree;
  const message = `Merge ${head} into ${base}\n`;
  return { kind: 'combined', commit: await commitTree(store, tree, [base, head], message), tree };
}

/**
 * What happened between `from` and `head`, as one commit on top of `onto`. Git 2.39 merges no trees
 * with a base of one's own, so two commits are made up whose only common parent is that base.
 */
export async function pick(
  store: GitStore,
  from: CommitSha,
  head: CommitSha,
  onto: CommitSha,
): Promise<Combination> {
  store.adopt(from, head);
  await ensureWhole(store, [from, head, onto]);
  const base = await commitTree(store, await store.treeOf(from), [], 'base\n');
  const ours = await commitTree(store, await store.treeOf(onto), [base], 'ours\n');
  const theirs = await commitTree(store, await store.treeOf(head), [base], 'theirs\n');
  const tree = await mergeTrees(store, ours, theirs);
  if (typeof tree !== 'string') return tree;
  if (tree === (await store.treeOf(onto))) return { kind: 'combined', commit: onto, tree };
  const message = `Pick ${from}..${head} onto ${onto}\n`;
  return { kind: 'combined', commit: await commitTree(store, tree, [onto], message), tree };
}

/** All nearest common ancestors; there are several where branches were merged crosswise. */
export async function mergeBases(
  store: GitStore,
  a: CommitSha,
  b: CommitSha,
): Promise<readonly CommitSha[]> {
  const answer = await store.run(['merge-base', '--all', a, b], { expected: [0, 1] });
  return line(answer)
    .split('\n')
    .map(parseCommitSha)
    .filter((commit) => commit !== undefined);
}

/** Everything that a merge may look at: fetched at once, and not file by file while it runs. */
async function ensureWhole(store: GitStore, commits: readonly CommitSha[]): Promise<void> {
  await store.ensureTrees(commits);
  const blobs = await Promise.all(commits.map((commit) => store.blobsOf(commit)));
  await store.ensureBlobs([...new Set(blobs.flat())]);
}

async function existing(store: GitStore, commit: CommitSha): Promise<Combination> {
  await store.ensureTrees([commit]);
  return { kind: 'combined', commit, tree: await store.treeOf(commit) };
}

async function mergeTrees(
  store: GitStore,
  ours: CommitSha,
  theirs: CommitSha,
): Promise<TreeSha | Extract<Combination, { kind: 'conflict' }>> {
  const args = ['merge-tree', '--write-tree', '-z', '--name-only', '--messages', ours, theirs];
  const answer = await store.run(args, { expected: [0, 1] });
  const text = answer.stdout.toString('utf8');
  if (answer.exitCode === 1) return { kind: 'conflict', conflicts: parseConflicts(text) };
  const tree = parseTreeSha(text.split('\0')[0] ?? '');
  if (tree === undefined) throw new Error(`git merge-tree printed ${JSON.stringify(text)}`);
  return tree;
}

/**
 * `git merge-tree -z --name-only` prints, each closed by NUL: the tree, the files in conflict, an
 * empty field, and then for each message the number of paths, the paths, a type and the text.
 */
function parseConflicts(text: string): readonly Conflict[] {
  const fields = text.split('\0');
  const end = fields.indexOf('', 1);
  const how = new Map<string, string>();
  for (let at = end + 1; at < fields.length - 1; ) {
    const count = Number(fields[at]);
    const paths = fields.slice(at + 1, at + 1 + count);
    const type = fields[at + 1 + count] ?? '';
    const kind = /^CONFLICT \((.+)\)$/.exec(type)?.[1];
    if (kind !== undefined) for (const path of paths) how.set(path, kind);
    at += count + 3;
  }
  const paths = new Set(fields.slice(1, end));
  return [...paths].sort().map((path) => ({ path, how: how.get(path) ?? 'contents' }));
}

/** Author, committer and date never change, so that equal content has one name on every machine. */
const author = {
  GIT_AUTHOR_NAME: 'Tributary',
  GIT_AUTHOR_EMAIL: 'tributary@localhost',
  GIT_AUTHOR_DATE: '946684800 +0000',
  GIT_COMMITTER_NAME: 'Tributary',
  GIT_COMMITTER_EMAIL: 'tributary@localhost',
  GIT_COMMITTER_DATE: '946684800 +0000',
};

async function commitTree(
  store: GitStore,
  tree: TreeSha,
  parents: readonly CommitSha[],
  message: string,
): Promise<CommitSha> {
  const args = ['commit-tree', ...parents.flatMap((parent) => ['-p', parent]), '-F', '-', tree];
  const commit = parseCommitSha(line(await store.run(args, { env: author, input: message })));
  if (commit === undefined) throw new Error('git commit-tree named no commit');
  return commit;
}
