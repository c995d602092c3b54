import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { PinnedSource } from '../../plan/lock.ts';
import type { CommitSha, TreeSha } from '../../plan/names.ts';
import type { Source } from '../../plan/plan.ts';
import { proveCommit } from './prove-commit.ts';

const tree = 'a'.repeat(40) as TreeSha;
const base = 'b'.repeat(40) as CommitSha;
const head = 'c'.repeat(40) as CommitSha;
const url = 'https://github.com/tektoncd/pipeline';
const pull = {
  url,
  ref: 'refs/pull/1/head',
  baseUrl: url,
  base: { branch: 'main', commit: base, found: 'request' },
} as const;

function object(
  parents: readonly string[],
  message = `Pick ${base}..${head} onto ${base}`,
): string {
  return `tree ${tree}\n${parents.map((sha) => `parent ${sha}\n`).join('')}author A <a@b> 0 +0000\n\n${message}\n`;
}

function nameOf(bytes: Buffer): CommitSha {
  const hash = createHash('sha1').update(`commit ${bytes.length}\0`).update(bytes);
  return hash.digest('hex') as CommitSha;
}

function source(from: PinnedSource, commit: CommitSha, changes: Partial<Source> = {}): Source {
  return {
    ...{
      from,
      requested: true,
      commit,
      commitTree: tree,
      tree,
      key: 'k' as never,
      version: '0.0.0',
    },
    ...{ patchesLeft: [], ...changes },
  };
}

const wrong = (
  from: (commit: CommitSha) => PinnedSource,
  text: string,
  built = tree,
  patched = false,
) => {
  const commit = nameOf(Buffer.from(text));
  const proven = source(from(commit), commit, built === tree ? {} : { tree: built });
  return proveCommit(
    proven,
    { commit, commitObject: Buffer.from(text).toString('base64') },
    built,
    patched,
  ).wrong.map(({ what }) => what);
};

const merge = (): PinnedSource => ({ kind: 'merge', commit: head, ...pull });
const pick = (): PinnedSource => ({
  kind: 'pick',
  commit: head,
  ...pull,
  mergeBase: base,
  onto: base,
});
const itself = (commit: CommitSha): PinnedSource => ({
  kind: 'head',
  url,
  ref: 'refs/heads/x',
  commit,
});

test.for<[string, (commit: CommitSha) => PinnedSource, readonly string[]]>([
  ['a merge of base and head', merge, [base, head]],
  ['a head as it is, whatever its parents', itself, [base]],
  ['a pick on what the product pins', pick, [base]],
  [
    'a merge whose head holds its base',
    (commit) => ({ ...merge(), commit }) as PinnedSource,
    [base],
  ],
])('%s is proven', ([, from, parents]) => {
  expect(wrong(from, object(parents))).toEqual([]);
});

test.for<[string, (commit: CommitSha) => PinnedSource, readonly string[]]>([
  ['a merge in the wrong order', merge, [head, base]],
  ['a merge of something else', merge, [base, base]],
  ['a merge of one', merge, [base]],
  ['another commit than the pinned one', () => itself(head), []],
  ['a pick with two parents', pick, [base, head]],
  ['a pick on something else', pick, [head]],
])('%s is not', ([, from, parents]) => {
  expect(wrong(from, object(parents))).toHaveLength(1);
});

test('another tree is proven only where Tributary applied patches', () => {
  const patched = 'e'.repeat(40) as TreeSha;
  expect(wrong(itself, object([]), patched, true)).toEqual([]);
  expect(wrong(itself, object([]), patched)).toEqual([expect.stringContaining('unpatched')]);
});

test('files of another tree than the plan says are told', () => {
  const text = object([]);
  const commit = nameOf(Buffer.from(text));
  const found = proveCommit(
    source(itself(commit), commit),
    { commit, commitObject: Buffer.from(text).toString('base64') },
    base as never,
    false,
  ).wrong;
  expect(found).toEqual([
    expect.objectContaining({ expected: `tree ${tree}`, found: `tree ${base}` }),
  ]);
});

test('a message that is no UTF-8 is proven', () => {
  const bytes = Buffer.from(object([], 'Z\xfcrich'), 'latin1');
  const commit = nameOf(bytes);
  const metadata = { commitObject: bytes.toString('base64') };
  expect(proveCommit(source(itself(commit), commit), metadata, tree, false).wrong).toEqual([]);
});

test('the tree of a source with submodules is not in its files, and its commit is proven all the same', () => {
  const text = object([]);
  const commit = nameOf(Buffer.from(text));
  const metadata = {
    commitObject: Buffer.from(text).toString('base64'),
    submodules: ['deps/tini'],
  };
  expect(proveCommit(source(itself(commit), commit), metadata, base as never, false).wrong).toEqual(
    [],
  );
});

test('a source without a commit object proves nothing', () => {
  const commit = nameOf(Buffer.from(object([])));
  const { wrong: found } = proveCommit(source(itself(commit), commit), {}, tree, false);
  expect(found.map(({ what }) => what)).toEqual([expect.stringContaining('no commit object')]);
});

test('a pick of another head is not proven', () => {
  const found = wrong(pick, object([base], `Pick ${base}..${base} onto ${base}`));
  expect(found).toEqual([expect.stringContaining('something else')]);
});

test.for<[string, (commit: CommitSha) => PinnedSource, string | null]>([
  ['of base and head', merge, null],
  [
    'whose head holds its base',
    (commit) => ({ ...merge(), commit }) as PinnedSource,
    `holds main (${base.slice(0, 12)}) already`,
  ],
  [
    'whose base holds its head',
    (commit) => ({ ...merge(), base: { ...pull.base, commit } }) as PinnedSource,
    `holds ${head.slice(0, 12)} already`,
  ],
  [
    'that is a pick of nothing new',
    (commit) => ({ ...pick(), onto: commit }) as PinnedSource,
    `has the changes of ${head.slice(0, 12)} already`,
  ],
])('what is only believed of a change is said: one %s', ([, from, said]) => {
  const text = object([base, head]);
  const commit = nameOf(Buffer.from(text));
  const metadata = { commitObject: Buffer.from(text).toString('base64') };
  const { wrong, believed } = proveCommit(source(from(commit), commit), metadata, tree, false);
  expect(wrong).toEqual([]);
  if (said === null) expect(believed).toBeNull();
  else expect(believed).toContain(said);
});
