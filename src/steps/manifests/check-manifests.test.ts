import { expect, test } from 'vitest';
import { type FileTree, type TreeFile, textFile } from '../../plan/file-tree.ts';
import type { ComponentName } from '../../plan/names.ts';
import { checkManifests } from './check-manifests.ts';

const operator = 'tektoncd/operator' as ComponentName;
const csv = textFile('kind: ClusterServiceVersion\n');
const good: [string, TreeFile][] = [
  ['manifests/x.clusterserviceversion.yaml', csv],
  ['manifests/crd.yaml', textFile('kind: CustomResourceDefinition\n---\nkind: ClusterRole\n')],
  ['metadata/annotations.yaml', textFile('annotations: {}\n')],
];

test('accepts a bundle folder with one CSV', () => {
  expect(checkManifests(operator, 'bundle', new Map(good))).toEqual({ ok: true, value: null });
});

test.for<[string, FileTree, string]>([
  ['no folder manifests', new Map([['x.yaml', csv]]), 'it has no folder manifests'],
  [
    'no CSV',
    new Map([['manifests/x.yaml', textFile('kind: Pod\n')]]),
    'manifests has no ClusterServiceVersion',
  ],
  [
    'two CSVs',
    new Map([...good, ['manifests/y.yaml', csv]]),
    'manifests has more than one ClusterServiceVersion',
  ],
  [
    'a file that is not YAML',
    new Map([...good, ['manifests/z.yaml', textFile('a: [')]]),
    'manifests/z.yaml cannot be read: line 1: ',
  ],
  [
    'a bottomless file',
    new Map([...good, ['manifests/z.yaml', textFile('['.repeat(100_000))]]),
    'manifests/z.yaml cannot be read: line 1: it is nested more than 200 levels deep',
  ],
  [
    'a link',
    new Map([...good, ['manifests/l', { mode: '120000', content: Buffer.from('/etc') }]]),
    'manifests/l is a link',
  ],
])('refuses %s', ([, files, detail]) => {
  const result = checkManifests(operator, 'bundle', files);
  expect(!result.ok && result.failures.map((failure) => failure.detail).join()).toContain(detail);
  expect(!result.ok && result.failures[0].reason).toBe('bad-bundle');
});
