import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { smallProductFiles, tree } from '../../test/support/small-product.ts';
import { type FileTree, readText, subtree, textFile, without } from '../plan/file-tree.ts';
import type { Tag } from '../plan/names.ts';
import { assembleBundle, type BundleInputs } from './assemble-bundle.ts';
import { bundleLimit } from './bundle-size.ts';

const template = subtree(smallProductFiles, 'bundle');
const csvFile = 'manifests/small.clusterserviceversion.yaml';
const digest = `sha256:${'a'.repeat(64)}`;
const nowhere = { env: [], containers: [], related: [] };
const inputs: BundleInputs = {
  product: template,
  folder: 'bundle',
  generated: null,
  edits: {
    package: 'small',
    tag: 'test-my-thing-72a32c' as Tag,
    operatorVersion: '1.7.0-t72a32c',
    images: {
      controller: {
        reference: `r/controller@${digest}`,
        csv: { ...nowhere, env: ['IMAGE_PIPELINES_CONTROLLER'] },
      },
      operator: { reference: `r/operator@${digest}`, csv: { ...nowhere, containers: ['*'] } },
    },
    external: ['registry.example.com/base/*'],
  },
  release: 'nightly',
  baseVersion: '1.7.0',
  channels: ['latest', 'pipelines-1.7'],
};

function assembled(changes: Partial<BundleInputs> = {}) {
  const outcome = assembleBundle({ ...inputs, ...changes });
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.failures));
  return outcome.value;
}

function details(changes: Partial<BundleInputs>): string[] {
  const outcome = assembleBundle({ ...inputs, ...changes });
  return outcome.ok ? [] : outcome.failures.map(({ detail }) => detail);
}

const having = (files: Record<string, string>): FileTree => new Map([...template, ...tree(files)]);
const csvWith = (from: string, to: string) =>
  readText(template, csvFile)?.replaceAll(from, to) ?? '';

test('labels are those of annotations.yaml, with the channels of the release', () => {
  const { labels, files } = assembled();
  expect(labels).toEqual({
    'operators.operatorframework.io.bundle.mediatype.v1': 'registry+v1',
    'operators.operatorframework.io.bundle.manifests.v1': 'manifests/',
    'operators.operatorframework.io.bundle.metadata.v1': 'metadata/',
    'operators.operatorframework.io.bundle.package.v1': 'small',
    'operators.operatorframework.io.bundle.channels.v1': 'latest,pipelines-1.7',
    'operators.operatorframework.io.bundle.channel.default.v1': 'latest',
  });
  const text = readText(files, 'metadata/annotations.yaml') ?? '';
  expect(parse(text).annotations).toEqual(labels);
  expect(text).toContain('# Kept by hand.');
});

test('only manifests and what OLM reads of metadata is in the image', () => {
  const product = having({
    ...{ Dockerfile: 'FROM scratch', 'manifests/.gitkeep': '', 'manifests/old/x.yaml': 'a: 1' },
    ...{
      'metadata/notes.md': 'x',
      'metadata/dependencies.yaml': 'dependencies: []\n',
      'tests/scorecard/config.yaml': 'a: 1',
    },
  });
  expect([...assembled({ product }).files.keys()].sort()).toEqual(
    [
      'manifests/operator.example.com_smalls.yaml',
      csvFile,
      'metadata/annotations.yaml',
      'metadata/dependencies.yaml',
    ].sort(),
  );
});

test('what the generator made takes the place of the template, and replaces what is released', () => {
  const generated = tree({
    'manifests/other.clusterserviceversion.yaml': csvWith('small.v1.7.0', 'small.v9.9.9').replace(
      'version: 1.7.0',
      'version: 9.9.9',
    ),
    'manifests/crd.yaml': 'kind: CustomResourceDefinition\n',
  });
  const { files } = assembled({ generated });
  expect([...files.keys()].sort()).toEqual([
    'manifests/crd.yaml',
    'manifests/other.clusterserviceversion.yaml',
    'metadata/annotations.yaml',
  ]);
  const csv = parse(readText(files, 'manifests/other.clusterserviceversion.yaml') ?? '');
  expect(csv.metadata.name).toBe('small.v1.7.0-t72a32c');
  expect(csv.spec.replaces).toBe('small.v1.7.0');
  expect(csv.metadata.annotations['olm.skipRange']).toBe('>=1.5.0 <1.7.1-0');
});

test.for<[string, Partial<BundleInputs>, string]>([
  ['no CSV', { product: without(template, csvFile) }, 'no ClusterServiceVersion'],
  [
    'two CSVs',
    { product: having({ 'manifests/b.yaml': csvWith('', '') }) },
    'several ClusterServiceVersions',
  ],
  [
    'no annotations.yaml',
    { product: without(template, 'metadata/annotations.yaml') },
    'is missing',
  ],
  [
    'annotations of another shape',
    { product: having({ 'metadata/annotations.yaml': 'a: 1\n' }) },
    'no mapping',
  ],
  ['another package', { edits: { ...inputs.edits, package: 'other' } }, 'of package small'],
  ['another version than the release', { baseVersion: '1.8.0' }, 'says 1.7.0'],
  [
    'a generated bundle without a CSV',
    { generated: tree({ 'manifests/a.yaml': 'a: 1' }) },
    "operator's bundle",
  ],
])('%s is a problem', ([, changes, expected]) => {
  expect(details(changes)).toEqual([expect.stringContaining(expected)]);
});

test('a missing CSV and bad annotations are told at once', () => {
  expect(details({ product: new Map() })).toHaveLength(2);
});

test('a bundle beyond the limit of OLM is a problem that names the largest files, one near it a warning', () => {
  const noise = (bytes: number) =>
    new Map([
      ...template,
      ['manifests/noise.yaml', textFile(`a: ${randomBytes((bytes * 3) / 4).toString('base64')}`)],
    ]);
  expect(assembled({ product: noise(bundleLimit * 0.7) }).warnings).toEqual([]);
  expect(assembled({ product: noise(bundleLimit * 0.9) }).warnings).toEqual([
    expect.stringContaining('manifests/noise.yaml'),
  ]);
  expect(details({ product: noise(bundleLimit * 1.2) })).toEqual([
    expect.stringContaining(`OLM takes ${bundleLimit}`),
  ]);
});
