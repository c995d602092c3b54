import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import {
  createRepository,
  type TestRepository,
  temporaryFolder,
} from '../../../test/support/git-repository.ts';
import { FailureError } from '../../builds/failure.ts';
import { gitTreeSha, readText, textFile } from '../../plan/file-tree.ts';
import type { CommitSha } from '../../plan/names.ts';
import type { Mirror } from '../../resolve/git-interface.ts';
import { openShelf } from '../storage/shelf.ts';
import { createGit } from './git-command.ts';
import { createMirrors } from './git-mirrors.ts';

const git = createGit({ urls: {}, credentials: {}, protocols: ['file'] });

async function world(): Promise<{ folder: string; upstream: TestRepository; mirror: Mirror }> {
  const folder = await temporaryFolder();
  onTestFinished(() => folder[Symbol.asyncDispose]());
  const upstream = await createRepository(join(folder.path, 'upstream'));
  const mirror = await createMirrors(
    git,
    openShelf(join(folder.path, 'mirrors')),
    join(folder.path, 'wholes'),
  ).mirror(upstream.url);
  return { folder: folder.path, upstream, mirror };
}

const lines = (...changed: readonly string[]) =>
  ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
    .map((name) => changed.find((c) => c[0] === name) ?? name)
    .join('\n')
    .concat('\n');

test('a change merges into its base, the same commit on every machine', async () => {
  const { folder, upstream, mirror } = await world();
  const start = await upstream.commit('start', { f: lines(), 'deep/g': '1\n' });
  await upstream.branch('change', start);
  const head = await upstream.commit('change', { f: lines('b changed') });
  await upstream.checkout('main');
  const base = await upstream.commit('main goes on', { f: lines('g changed'), other: 'x\n' });
  await mirror.fetch(upstream.url, [head, base]);

  const merged = await mirror.merge(base, head);
  if (merged.kind !== 'combined') throw new Error(merged.kind);
  const { files } = await mirror.files(merged.tree);
  expect(readText(files, 'f')).toBe(lines('b changed', 'g changed'));
  expect(gitTreeSha(files)).toBe(merged.tree);

  const elsewhere = await createMirrors(
    git,
    openShelf(join(folder, 'other')),
    join(folder, 'wholes'),
  ).mirror(upstream.url);
  await elsewhere.fetch(upstream.url, [base, head]);
  expect(await elsewhere.merge(base, head)).toEqual(merged);
});

test('a git that was killed in the middle of a fetch is in nobody’s way', async () => {
  const { folder, upstream, mirror } = await world();
  const head = await upstream.commit('start', { f: '1\n' });
  const [name] = await mirrorsIn(folder);
  const repository = join(folder, 'mirrors', name ?? '');
  await mkdir(join(repository, 'refs', 'pinned'), { recursive: true });
  for (const file of ['packed-refs.lock', 'shallow.lock', `refs/pinned/${head}.lock`])
    await writeFile(join(repository, file), '');
  await mirror.fetch(upstream.url, [head]);
  expect(await mirror.treeOf(head)).toMatch(/^[0-9a-f]{40}$/);
  expect((await readdir(repository)).filter((entry) => entry.endsWith('.lock'))).toEqual([]);
});

test('a merge of what is there already makes up nothing', async () => {
  const { upstream, mirror } = await world();
  const old = await upstream.commit('old', { f: '1\n' });
  const tip = await upstream.commit('tip', { f: '2\n' });
  await mirror.fetch(upstream.url, [old, tip]);
  expect(await mirror.merge(tip, old)).toMatchObject({ commit: tip });
  expect(await mirror.merge(old, tip)).toMatchObject({ commit: tip });
});

test('a conflict names the files and how they disagree', async () => {
  const { upstream, mirror } = await world();
  const start = await upstream.commit('start', { f: 'one\n', gone: 'some\ntext\n' });
  await upstream.branch('change', start);
  const head = await upstream.commit('change', { f: 'theirs\n', gone: 'some\nother\ntext\n' });
  await upstream.checkout('main');
  const base = await upstream.commit('main', { f: 'ours\n', gone: null });
  await mirror.fetch(upstream.url, [head, base]);
  expect(await mirror.merge(base, head)).toEqual({
    kind: 'conflict',
    conflicts: [
      { path: 'f', how: 'contents' },
      { path: 'gone', how: 'modify/delete' },
    ],
  });
});

test('a pick takes the own commits only, onto an older commit', async () => {
  const { upstream, mirror } = await world();
  const pinned = await upstream.commit('pinned', { f: lines() });
  const from = await upstream.commit('main goes on', { f: lines('h unrelated'), news: 'x\n' });
  await upstream.branch('change', from);
  const head = await upstream.commit('change', { f: lines('b changed', 'h unrelated') });
  await mirror.fetch(upstream.url, [head, pinned]);
  const picked = await mirror.pick(from, head, pinned);
  if (picked.kind !== 'combined') throw new Error(picked.kind);
  const { files } = await mirror.files(picked.tree);
  expect([...files.keys()]).toEqual(['f']);
  expect(readText(files, 'f')).toBe(lines('b changed'));
  expect(await mirror.pick(from, head, pinned)).toEqual(picked);
  expect(await mirror.pick(from, head, head)).toMatchObject({ kind: 'combined', commit: head });
});

test('attributes of a repository do not decide how it is merged', async () => {
  const { upstream, mirror } = await world();
  const start = await upstream.commit('start', { '.gitattributes': '* merge=union\n', f: '1\n' });
  await upstream.branch('change', start);
  const head = await upstream.commit('change', { f: 'theirs\n' });
  await upstream.checkout('main');
  const base = await upstream.commit('main', { f: 'ours\n' });
  await mirror.fetch(upstream.url, [head, base]);
  expect(await mirror.merge(base, head)).toMatchObject({ kind: 'conflict' });
});

test('a fork is fetched into the mirror of what it forked; one without shared history is told', async () => {
  const { folder, upstream, mirror } = await world();
  const start = await upstream.commit('start', { f: lines() });
  await upstream.git('clone', '--quiet', '.', join(folder, 'fork'));
  const fork = await createRepository(join(folder, 'fork'));
  const head = await fork.commit('fork', { f: lines('b changed'), only: 'in the fork\n' });
  const base = await upstream.commit('main', { f: lines('h changed'), too: 'upstream\n' });
  await mirror.fetch(fork.url, [head]);
  await mirror.fetch(upstream.url, [base]);
  const merged = await mirror.merge(base, head);
  if (merged.kind !== 'combined') throw new Error(merged.kind);
  expect([...(await mirror.files(merged.tree)).files.keys()]).toEqual(['f', 'only', 'too']);
  expect(await mirror.mergeBase(base, head)).toBe(start);

  const stranger = await createRepository(join(folder, 'stranger'));
  const unrelated = await stranger.commit('other', { f: 'x\n' });
  await mirror.fetch(stranger.url, [unrelated]);
  expect(await mirror.mergeBase(base, unrelated)).toBeUndefined();
  expect(await mirror.merge(base, unrelated)).toEqual({ kind: 'unrelated' });
});

test('only what was asked for is fetched', async () => {
  const { folder, upstream, mirror } = await world();
  const head = await upstream.commit('start', { wanted: '1\n', 'folder/big': 'not wanted\n' });
  await mirror.fetch(upstream.url, [head]);
  const [name = ''] = await mirrorsIn(folder);
  const repository = join(folder, 'mirrors', name);
  const objects = async () =>
    (
      await git(['cat-file', '--batch-all-objects', '--batch-check=%(objecttype)'], { repository })
    ).stdout
      .toString()
      .trim()
      .split('\n')
      .sort();
  expect(await objects()).toEqual(['commit']);
  const { files } = await mirror.files(head, ['wanted']);
  expect([...files.keys()]).toEqual(['wanted']);
  expect(await objects()).toEqual(['blob', 'commit', 'tree', 'tree']);
  expect(await readFile(join(repository, 'config'), 'utf8')).not.toContain('promisor');
});

test('fetches of one mirror at once do not disturb each other', async () => {
  const { folder, upstream } = await world();
  const commits: CommitSha[] = [];
  for (let n = 0; n < 6; n += 1) commits.push(await upstream.commit(`${n}`, { f: `${n}\n` }));
  const texts = await Promise.all(
    commits.map(async (commit) => {
      // Mirrors of one folder opened twice stand for two processes.
      const mirror = await createMirrors(
        git,
        openShelf(join(folder, 'mirrors')),
        join(folder, 'wholes'),
      ).mirror(upstream.url);
      await mirror.fetch(upstream.url, [commit]);
      return readText((await mirror.files(commit)).files, 'f');
    }),
  );
  expect(texts).toEqual(['0\n', '1\n', '2\n', '3\n', '4\n', '5\n']);
});

test('submodules are told, modes and links kept', async () => {
  const { upstream, mirror } = await world();
  await upstream.commit('start', { 'run.sh': '#!/bin/sh\n' });
  await upstream.git('update-index', '--chmod=+x', 'run.sh');
  await upstream.git('update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},deps/tini`);
  const link = await upstream.git('hash-object', '-w', 'run.sh');
  await upstream.git('update-index', '--add', '--cacheinfo', `120000,${link},link`);
  await upstream.git('commit', '--quiet', '-m', 'modes');
  const head = (await upstream.git('rev-parse', 'HEAD')) as CommitSha;
  await mirror.fetch(upstream.url, [head]);
  const { files, submodules } = await mirror.files(head);
  expect(submodules).toEqual(['deps/tini']);
  expect([...files].map(([path, { mode }]) => `${mode} ${path}`)).toEqual([
    '120000 link',
    '100755 run.sh',
  ]);
});

test('other files take the place of those of a tree, and submodules stay', async () => {
  const { upstream, mirror } = await world();
  await upstream.commit('start', { 'dir/f': '1\n', gone: 'x\n' });
  const link = `160000,${'1'.repeat(40)},deps/tini`;
  await upstream.git('update-index', '--add', '--cacheinfo', link);
  await upstream.git('commit', '--quiet', '-m', 'submodule');
  const head = (await upstream.git('rev-parse', 'HEAD')) as CommitSha;
  await mirror.fetch(upstream.url, [head]);
  const tree = await mirror.treeOf(head);
  const { files } = await mirror.files(tree);
  expect(await mirror.replaceFiles(tree, files)).toBe(tree);
  const other = new Map([['dir', textFile('a file now\n', '100755')]]);
  const made = await mirror.replaceFiles(tree, other);
  expect(await mirror.files(made)).toEqual({ files: other, submodules: ['deps/tini'] });
});

test('a patch applies, is contained, or conflicts', async () => {
  const { upstream, mirror } = await world();
  const before = await upstream.commit('before', { 'dir/f': lines() });
  const after = await upstream.commit('after', { 'dir/f': lines('d patched') });
  const patch = Buffer.from(`${await upstream.git('format-patch', '-1', '--stdout', after)}\n`);
  const other = await upstream.commit('other', { 'dir/f': lines('d another') });
  await mirror.fetch(upstream.url, [before, after, other]);
  const treeAfter = await mirror.treeOf(after);
  expect(await mirror.apply(await mirror.treeOf(before), patch)).toEqual({
    kind: 'applied',
    tree: treeAfter,
  });
  expect(await mirror.apply(treeAfter, patch)).toEqual({ kind: 'contained' });
  expect(await mirror.apply(await mirror.treeOf(other), patch)).toMatchObject({
    kind: 'conflict',
    files: ['dir/f'],
  });
  expect(await mirror.apply(treeAfter, Buffer.from('\n'))).toEqual({ kind: 'contained' });
});

test('a patch cannot write outside, and a broken one conflicts', async () => {
  const { upstream, mirror } = await world();
  const head = await upstream.commit('start', { f: '1\n' });
  await mirror.fetch(upstream.url, [head]);
  await mirror.files(head);
  const tree = await mirror.treeOf(head);
  const evil =
    'diff --git a/../evil b/../evil\nnew file mode 100644\n--- /dev/null\n+++ b/../evil\n@@ -0,0 +1 @@\n+x\n';
  expect(await mirror.apply(tree, Buffer.from(evil))).toMatchObject({ kind: 'conflict' });
  expect(await mirror.apply(tree, Buffer.from('no patch at all\n'))).toMatchObject({
    kind: 'conflict',
    files: [],
  });
});

test.for([
  { tags: ['v0.1.0', 'v0.2.0'], version: '0.1.0', title: 'the nearest tag below' },
  { tags: ['nightly', 'vendor'], version: undefined, title: 'no semver tag' },
  { tags: ['1.0.0-rc1', 'v9.9.9'], version: '1.0.0-rc1', title: 'a pre-release without v' },
])('the version is that of $title', async ({ tags: [first = '', later = ''], version }) => {
  const { upstream, mirror } = await world();
  await upstream.commit('one', { f: '1\n' });
  await upstream.git('tag', first);
  const head = await upstream.commit('two', { f: '2\n' });
  await upstream.commit('three', { f: '3\n' });
  await upstream.git('tag', '-a', '-m', 'later', later);
  await mirror.fetch(upstream.url, [head]);
  await mirror.fetchTags();
  expect(await mirror.nearestVersion(head)).toBe(version);
});

test('the merge that brought a commit into a branch is found', async () => {
  const { upstream, mirror } = await world();
  const start = await upstream.commit('start', { f: '1\n' });
  await upstream.branch('change', start);
  const head = await upstream.commit('change', { g: '1\n' });
  await upstream.checkout('main');
  const before = await upstream.commit('main', { h: '1\n' });
  await upstream.git('merge', '--quiet', '--no-ff', '-m', 'merge', 'change');
  const merge = await upstream.git('rev-parse', 'HEAD');
  const tip = await upstream.commit('later', { f: '2\n' });
  await mirror.fetch(upstream.url, [tip]);
  expect(await mirror.mergeOf(head, tip)).toBe(merge);
  expect(await mirror.mergeOf(before, tip)).toBeUndefined();
  expect(await mirror.firstParent(head)).toBe(start);
  expect(await mirror.firstParent(start)).toBeUndefined();
  expect(await mirror.countAhead(tip, head)).toBe(3);
});

test('an exported merge can be fetched as any branch can, with its history', async () => {
  const { folder, upstream, mirror } = await world();
  const start = await upstream.commit('one', { f: '1\n' });
  await upstream.git('checkout', '--quiet', '-b', 'change');
  const head = await upstream.commit('change', { 'deep/g': 'x\n' });
  await upstream.checkout('main');
  const base = await upstream.commit('main', { f: '2\n' });
  await mirror.fetch(upstream.url, [base, head]);
  const merged = await mirror.merge(base, head);
  if (merged.kind !== 'combined') throw new Error(merged.kind);
  const target = join(folder, 'export', 'owner', 'repo.git');
  await mirror.export(merged.commit, target, 'tributary');
  await mirror.export(merged.commit, target, 'tributary');
  const clone = join(folder, 'clone');
  await git(['init', '--quiet', '--bare', clone]);
  await git(['fetch', '--quiet', `file://${target}`, '+tributary:refs/remotes/origin/tributary'], {
    repository: clone,
  });
  const fetched = await git(['rev-list', 'origin/tributary'], { repository: clone });
  expect(fetched.stdout.toString().trim().split('\n').toSorted()).toEqual(
    [merged.commit, base, head, start].toSorted(),
  );
  await git(['fsck', '--full'], { repository: target });
});

test('a commit that is gone from the server is a failure with a hint', async () => {
  const { upstream, mirror } = await world();
  await upstream.commit('one', { f: '1\n' });
  const failure = await mirror
    .fetch(upstream.url, ['1'.repeat(40) as CommitSha])
    .catch((error) => error);
  expect(failure).toBeInstanceOf(FailureError);
  expect(failure.failures[0]).toMatchObject({
    reason: 'ref-not-found',
    hint: expect.stringContaining('force push'),
  });
});

test('nothing of the user’s configuration counts', async () => {
  const { folder, upstream, mirror } = await world();
  await writeFile(join(folder, '.gitconfig'), '[merge]\nrenames = false\nbroken');
  const before = process.env['HOME'];
  process.env['HOME'] = folder;
  onTestFinished(() => {
    process.env['HOME'] = before;
  });
  const head = await upstream.commit('one', { f: '1\n' });
  await mirror.fetch(upstream.url, [head]);
  expect([...(await mirror.files(head)).files.keys()]).toEqual(['f']);
});

async function mirrorsIn(folder: string): Promise<string[]> {
  const names = await readdir(join(folder, 'mirrors'));
  return names.filter((name) => name.endsWith('.git') && !name.startsWith('.'));
}

test('a mirror is held for a while after it was asked for, then it may go, and is made again', async () => {
  await using folder = await temporaryFolder();
  const shelf = openShelf(join(folder.path, 'mirrors'));
  const forEver = createMirrors(git, shelf, join(folder.path, 'wholes'));
  const forShort = createMirrors(git, shelf, join(folder.path, 'wholes'), 1);
  await forEver.mirror('https://example.com/a/held');
  await forShort.mirror('https://example.com/a/unused');
  const gone = await vi.waitUntil(async () => (await shelf.evict(0))[0], { timeout: 20_000 });
  expect(gone).toContain('unused');
  expect(await mirrorsIn(folder.path)).toEqual([expect.stringContaining('held')]);
  await forShort.mirror('https://example.com/a/unused');
  expect(await mirrorsIn(folder.path)).toHaveLength(2);
});

test('a mirror that was removed is said to be lost, and made again when it is asked for', async () => {
  await using folder = await temporaryFolder();
  const upstream = await createRepository(join(folder.path, 'upstream'));
  const head = await upstream.commit('start', { f: '1\n' });
  const kept = join(folder.path, 'mirrors');
  const mirrors = createMirrors(git, openShelf(kept), join(folder.path, 'wholes'));
  const before = await mirrors.mirror(upstream.url);
  await before.fetch(upstream.url, [head]);
  const tree = await before.treeOf(head);
  expect(await mirrors.mirror(upstream.url)).toBe(before);
  expect(await mirrors.lost(0)).toBe(false);
  await rm(kept, { recursive: true });
  expect(await mirrors.lost(0)).toBe(true);
  const after = await mirrors.mirror(upstream.url);
  await after.fetch(upstream.url, [head]);
  expect(await after.treeOf(head)).toBe(tree);
});
