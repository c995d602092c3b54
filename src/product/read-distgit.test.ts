import { expect, test } from 'vitest';
import { type FileTree, textFile, without } from '../plan/file-tree.ts';
import type { ImageName } from '../plan/names.ts';
import { demoProduct } from './demo-product.fixture.ts';
import { readDistgit, unnamedFolders } from './read-distgit.ts';

const product = demoProduct();
const controller = 'openshift-pipelines-controller' as ImageName;
const folder = `distgit/containers/${controller}`;

/** A productization repository that fits the demo product. */
function repository(files: Record<string, string> = {}): FileTree {
  const from = product.bundle.from;
  const bundle = { [`${from}/manifests/x.yaml`]: '', [`${from}/metadata/annotations.yaml`]: '' };
  const images = Object.values(product.images).map(({ context }) => [
    `${context}/Dockerfile`,
    'ARG A\nFROM base:1\n',
  ]);
  const all: Record<string, string> = {
    ...bundle,
    ...Object.fromEntries(images),
    'upstream_sources.yaml': '',
    ...files,
  };
  return new Map(Object.entries(all).map(([path, text]) => [path, textFile(text)]));
}

test('every image is read with its context, bases and arguments', () => {
  const dockerfile =
    'ARG RUNTIME=base:2\nFROM go:1 AS build\nARG REMOTE_SOURCE\nFROM $RUNTIME\nCOPY --from=build /x /x\n';
  const tree = repository({ [`${folder}/Dockerfile`]: dockerfile, [`${folder}/entry.sh`]: 'x' });
  const read = readDistgit(tree, product);
  expect(read.problems).toEqual([]);
  const image = read.value.images[controller];
  expect(image).toMatchObject({ path: `${folder}/Dockerfile`, dockerfile });
  expect(image?.bases.map((base) => base.image)).toEqual(['go:1', 'base:2']);
  expect([...(image?.args ?? [])].sort()).toEqual(['REMOTE_SOURCE', 'RUNTIME']);
  expect([...(image?.context.keys() ?? [])].sort()).toEqual(['Dockerfile', 'entry.sh']);
  expect(Object.keys(read.value.images)).toEqual(Object.keys(product.images));
});

test.for<[title: string, tree: FileTree, file: string, text: RegExp]>([
  [
    'an image without Dockerfile',
    without(repository({ [`${folder}/Dockerfil`]: '' }), `${folder}/Dockerfile`),
    'product.yaml',
    /has no such file\. Did you mean .*Dockerfil\?/,
  ],
  [
    'a Dockerfile without FROM',
    repository({ [`${folder}/Dockerfile`]: '# empty' }),
    `${folder}/Dockerfile`,
    /Dockerfile:1: it has no FROM/,
  ],
  [
    'a base without a value',
    repository({ [`${folder}/Dockerfile`]: 'ARG BASE\n# x\nFROM $BASE' }),
    `${folder}/Dockerfile`,
    /Dockerfile:3: "\$BASE" names no image/,
  ],
])('%s is a failure', ([, tree, file, text]) => {
  const read = readDistgit(tree, product);
  expect(read.problems).toHaveLength(1);
  const [failure] = read.problems;
  expect(failure).toMatchObject({ reason: 'bad-product', about: { file } });
  expect(`${failure?.detail} ${failure?.hint}`).toMatch(text);
  const others = Object.keys(product.images).filter((name) => name !== controller);
  expect(Object.keys(read.value.images)).toEqual(expect.arrayContaining(others));
  expect(read.value.images[controller]?.bases ?? []).toEqual([]);
});

test('a folder that nothing names is told', () => {
  const tree = repository({ 'distgit/containers/new/Dockerfile': 'FROM x' });
  expect(unnamedFolders(tree, product)).toEqual([
    expect.objectContaining({
      reason: 'bad-product',
      about: { file: 'distgit/containers/new' },
      hint: expect.stringContaining('context: distgit/containers/new'),
    }),
  ]);
});

test('a folder of the index, and files beside the folders, are no mistake', () => {
  const tree = repository({
    [`distgit/containers/${product.index.image}/Dockerfile`]: 'x',
    'distgit/containers/README.md': '',
  });
  expect(unnamedFolders(tree, product)).toEqual([]);
});

test('all problems are told at once', () => {
  const read = readDistgit(new Map(), product);
  expect(read.problems).toHaveLength(Object.keys(product.images).length);
});
