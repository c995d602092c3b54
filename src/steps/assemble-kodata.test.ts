import { expect, test } from 'vitest';
import { readText, sortedPaths, textFile } from '../plan/file-tree.ts';
import { assembleKodata, type ComponentPayload } from './assemble-kodata.ts';

const own = payload('tektoncd/operator', null, null, [
  'tekton-pipeline/0.69.0/00-pipelines.yaml',
  'tekton-pipeline/0.69.0/01-rbac.yaml',
  'tekton-pipeline/00-prereconcile/scc.yaml',
  'tekton-pipelinex/1.0.0/a.yaml',
  'tekton-addon/1.0.0/addons.yaml',
]);
const pipeline = (keep: string[] = [], version = '0.68.0-t123456') =>
  payload(
    'tektoncd/pipeline',
    'tekton-pipeline',
    version,
    [`tekton-pipeline/${version}/00-pipelines.yaml`],
    keep,
  );

test.for<[string, ComponentPayload[], string[]]>([
  [
    'an older and a higher version folder give way to the version of this build',
    [own, pipeline()],
    [
      'tekton-addon/1.0.0/addons.yaml',
      'tekton-pipeline/0.68.0-t123456/00-pipelines.yaml',
      'tekton-pipelinex/1.0.0/a.yaml',
    ],
  ],
  [
    'the order of the payloads does not matter, and kept files stay',
    [pipeline(['tekton-pipeline/00-prereconcile/**']), own],
    [
      'tekton-addon/1.0.0/addons.yaml',
      'tekton-pipeline/0.68.0-t123456/00-pipelines.yaml',
      'tekton-pipeline/00-prereconcile/scc.yaml',
      'tekton-pipelinex/1.0.0/a.yaml',
    ],
  ],
  [
    'kept files of another version move to the version of this build, under what it brings itself',
    [own, pipeline(['tekton-pipeline/*/*.yaml'])],
    [
      'tekton-addon/1.0.0/addons.yaml',
      'tekton-pipeline/0.68.0-t123456/00-pipelines.yaml',
      'tekton-pipeline/0.68.0-t123456/01-rbac.yaml',
      'tekton-pipeline/00-prereconcile/scc.yaml',
      'tekton-pipelinex/1.0.0/a.yaml',
    ],
  ],
  [
    'a payload without version folder replaces its own folder',
    [own, payload('a/b', 'tekton-addon', null, ['tekton-addon/new.yaml'])],
    [
      'tekton-addon/new.yaml',
      'tekton-pipeline/0.69.0/00-pipelines.yaml',
      'tekton-pipeline/0.69.0/01-rbac.yaml',
      'tekton-pipeline/00-prereconcile/scc.yaml',
      'tekton-pipelinex/1.0.0/a.yaml',
    ],
  ],
])('%s', ([, payloads, expected]) => {
  const kodata = assembleKodata(payloads);
  expect(kodata.ok && sortedPaths(kodata.value)).toEqual(expected);
});

test('the file of the component wins over a kept one of the same name', () => {
  const kodata = assembleKodata([own, pipeline(['**'])]);
  const files = kodata.ok ? kodata.value : new Map();
  expect(readText(files, 'tekton-pipeline/0.68.0-t123456/00-pipelines.yaml')).toBe(
    'tektoncd/pipeline',
  );
});

test.for<[string, ComponentPayload[], string]>([
  [
    'two components that write one file',
    [payload('a/a', 'x', '1.0.0', ['x/1.0.0/f']), payload('b/b', 'x', '1.0.0', ['x/1.0.0/f'])],
    'a/a and b/b both write x/1.0.0/f',
  ],
  [
    'two version folders in one folder',
    [payload('a/a', 'x', '1.0.0', ['x/1.0.0/f']), payload('b/b', 'x', '2.0.0', ['x/2.0.0/g'])],
    'a/a and b/b make two version folders in x: 1.0.0 and 2.0.0',
  ],
  [
    'a file where another component has a folder',
    [payload('a/a', 'x', null, ['x/f']), payload('b/b', 'x/f', null, ['x/f/g'])],
    'x/f is both a file and a folder',
  ],
  [
    'a name that would delete files of the image',
    [payload('a/a', null, null, ['.wh.x/y'])],
    'a/a has a file whose name begins with .wh.: .wh.x/y',
  ],
])('refuses %s', ([, payloads, detail]) => {
  const kodata = assembleKodata(payloads);
  expect(!kodata.ok && kodata.failures.map((failure) => failure.detail).join()).toContain(detail);
});

function payload(
  component: string,
  replaces: string | null,
  version: string | null,
  paths: string[],
  keep: string[] = [],
): ComponentPayload {
  return {
    metadata: { component, replaces, version, keep },
    files: new Map(paths.map((path) => [path, textFile(component)])),
  };
}
