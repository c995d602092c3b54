import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type FileTree,
  gitTreeSha,
  isInnerPath,
  placedIn,
  readText,
  resolvePath,
  sortedPaths,
  subtree,
  type TreeFile,
  textFile,
  treeProblem,
  withFiles,
  without,
} from './file-tree.ts';

const link = (target: string): TreeFile => ({ mode: '120000', content: Buffer.from(target) });
const texts = (files: Record<string, string>): FileTree =>
  new Map(Object.entries(files).map(([path, text]) => [path, textFile(text)]));

test('refuses to name a tree in which a file is also a folder', () => {
  expect(() => gitTreeSha(texts({ a: '', 'a/b': '' }))).toThrow(/both a file and a folder/);
});

test.for([
  ['a/b.yaml', true],
  ['...', true],
  ['', false],
  ['/etc/passwd', false],
  ['a//b', false],
  ['a/', false],
  ['./a', false],
  ['../a', false],
  ['a/../../b', false],
  ['a\0b', false],
  [`${'a/'.repeat(3000)}b`, false],
] as const)('path %j inside a tree: %s', ([path, usable]) => {
  expect(isInnerPath(path)).toBe(usable);
});

test('says what keeps a tree from being a folder', () => {
  expect(treeProblem(texts({ 'a/b': '', c: '' }))).toBeUndefined();
  expect(treeProblem(texts({ a: '', 'a/b/c': '' }))).toBe('a is both a file and a folder');
  expect(treeProblem(texts({ '../x': '' }))).toContain('"../x"');
});

test.for<[string, string | undefined]>([
  ['config/plain', 'text'],
  ['direct', 'text'],
  ['folder/plain', 'text'],
  ['config/up', 'text'],
  ['chain', 'text'],
  ['outside', undefined],
  ['absolute', undefined],
  ['circle-a', undefined],
  ['self/x', undefined],
  ['dangling', undefined],
  ['config', undefined],
])('reads %s through links of the tree: %s', ([path, expected]) => {
  const tree = new Map<string, TreeFile>([
    ['config/plain', textFile('text')],
    ['config/up', link('../config/./plain')],
    ['direct', link('config/plain')],
    ['folder', link('config')],
    ['chain', link('folder/up')],
    ['outside', link('../../etc/passwd')],
    ['absolute', link('/etc/passwd')],
    ['circle-a', link('circle-b')],
    ['circle-b', link('circle-a')],
    ['self', link('self')],
    ['dangling', link('nowhere')],
  ]);
  expect(readText(tree, path)).toBe(expected);
});

test('follows a link bomb for no longer than Linux would', () => {
  const bomb = new Map([['a', link('a/'.repeat(2000))]]);
  expect(resolvePath(bomb, 'a')).toBeUndefined();
});

test('puts trees over one another, where a file hides a folder and a folder a file', () => {
  const merged = withFiles(
    texts({ 'a/b': 'low', 'a/c': 'low', d: 'low', e: 'low' }),
    texts({ a: 'up', 'd/x': 'up' }),
    texts({ e: 'top' }),
  );
  expect(
    Object.fromEntries([...merged].map(([path, { content }]) => [path, `${content}`])),
  ).toEqual({ a: 'up', 'd/x': 'up', e: 'top' });
});

test('takes a folder away, and not what only begins like it', () => {
  expect(sortedPaths(without(texts({ 'a/b': '', 'a/c/d': '', 'a.b': '', ab: '' }), 'a'))).toEqual([
    'a.b',
    'ab',
  ]);
});

test('gives back what was placed in a folder', () => {
  const name = fc.constantFrom('a', 'b', 'c.yaml', 'd e');
  const trees = fc
    .array(fc.tuple(fc.array(name, { minLength: 1, maxLength: 4 }), fc.string()))
    .map((files) => texts(Object.fromEntries(files.map(([path, text]) => [path.join('/'), text]))));
  fc.assert(
    fc.property(trees, (tree) => {
      expect(subtree(withFiles(texts({ other: '' }), placedIn('x/y', tree)), 'x/y')).toEqual(tree);
    }),
  );
});
