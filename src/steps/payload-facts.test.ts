import { expect, test } from 'vitest';
import { koReferences } from '../payload/ko-references.ts';
import { type FileTree, gitTreeSha, type TreeFile, textFile } from '../plan/file-tree.ts';
import type { Payload } from '../product/product.ts';
import { type ReadFiles, readPayloadFacts } from './payload-facts.ts';

const link = (target: string): TreeFile => ({ mode: '120000', content: Buffer.from(target) });
const tree = (files: Record<string, string | TreeFile>): FileTree =>
  new Map(
    Object.entries(files).map(([path, file]) => [
      path,
      typeof file === 'string' ? textFile(file) : file,
    ]),
  );

/** Gives paths of a tree as git does. */
function readerOf(files: FileTree): ReadFiles {
  const at = (path: string, paths: readonly string[]) =>
    paths.some((wanted) => wanted === '.' || path === wanted || path.startsWith(`${wanted}/`));
  return async (paths = ['.']) => new Map([...files].filter(([path]) => at(path, paths)));
}

const ko = (recursive: boolean): Payload => ({
  render: 'ko',
  inputs: [{ path: 'config', recursive }],
  markers: [],
  into: 'x/{version}/x.yaml',
  keep: [],
});
const copy: Payload = {
  render: 'copy',
  inputs: [{ path: 'config', recursive: false }],
  into: '.',
  keep: [],
};
const command: Payload = {
  ...ko(false),
  render: 'command',
  run: ['x'],
  image: 'i',
  env: {},
} as Payload;

async function inputsOf(files: Record<string, string | TreeFile>, rule: Payload): Promise<string> {
  return (await readPayloadFacts(rule, readerOf(tree(files)))).inputs;
}

const before = {
  'config/a.yaml': '1',
  'config/deep/b.yaml': '2',
  'main.go': '3',
  'shared.yaml': '4',
};
test.for<[string, Payload, Record<string, string>, boolean]>([
  ['code outside of the inputs', ko(true), { 'main.go': 'x' }, false],
  ['a file of the inputs', ko(true), { 'config/a.yaml': 'x' }, true],
  ['a deeper file, walked', ko(true), { 'config/deep/b.yaml': 'x' }, true],
  ['a deeper file, not walked', ko(false), { 'config/deep/b.yaml': 'x' }, false],
  ['a deeper file that is copied', copy, { 'config/deep/b.yaml': 'x' }, true],
  ['anything, where a command renders', command, { 'main.go': 'x' }, true],
])('%s: counts or not', async ([, rule, change, counts]) => {
  const [one, other] = [
    await inputsOf(before, rule),
    await inputsOf({ ...before, ...change }, rule),
  ];
  expect(one !== other).toBe(counts);
});

test('what lies behind a link counts', async () => {
  const linked = { ...before, 'config/c.yaml': link('../shared.yaml') };
  const one = await inputsOf(linked, ko(true));
  expect(await inputsOf({ ...linked, 'shared.yaml': 'x' }, ko(true))).not.toBe(one);
  expect(await inputsOf({ ...linked, 'main.go': 'x' }, ko(true))).toBe(one);
});

test('behind a link to a folder, or where the input itself is one, everything counts', async () => {
  for (const linked of [
    { ...before, 'config/c': link('../other'), 'other/d.yaml': '5' },
    { config: link('other'), 'other/d.yaml': '5', 'main.go': '3' },
  ]) {
    const one = await inputsOf(linked, ko(true));
    expect(await inputsOf({ ...linked, 'other/d.yaml': 'x' }, ko(true))).not.toBe(one);
  }
});

test('the whole tree is the key of a command', async () => {
  expect(await inputsOf(before, command)).toBe(gitTreeSha(tree(before)));
});

test('references are found wherever they stand', () => {
  const files = tree({
    'a.yaml': 'image: ko://example.com/cmd/one\nargs: ["-x", "ko://example.com/cmd/two"]\n',
    'b.sh': 's|ko://example.com/cmd/three|x|; ko://example.com/cmd/four.',
    'c.yaml': 'no reference: kos://example.com/five',
  });
  expect([...koReferences(files)].sort()).toEqual(
    ['four', 'one', 'three', 'two'].map((name) => `example.com/cmd/${name}`),
  );
});
