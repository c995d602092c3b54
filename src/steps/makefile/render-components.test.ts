import { expect, test } from 'vitest';
import { tree } from '../../../test/support/small-product.ts';
import { sortedPaths } from '../../plan/file-tree.ts';
import { renderComponents } from './render-components.ts';

const payload = (
  component: string,
  replaces: string | null,
  version: string | null,
  path: string,
) => ({
  metadata: { component, replaces, version, keep: [] },
  files: tree({ [path]: component }),
});

test('every payload is an entry with its version, folder and files, which lie beside it', () => {
  const files = renderComponents([
    payload(
      'tektoncd/pipeline',
      'tekton-pipeline',
      '1.0.0-tab',
      'tekton-pipeline/1.0.0-tab/00-pipelines.yaml',
    ),
    payload('a/manual', 'manual', null, 'manual/release.yaml'),
  ]);
  expect(files.get('components.yaml')?.content.toString()).toBe(
    [
      'pipeline:',
      '  version: 1.0.0-tab',
      '  into: tekton-pipeline',
      '  00-pipelines.yaml: pipeline/00-pipelines.yaml',
      'manual:',
      '  version: .',
      '  into: manual',
      '  release.yaml: manual/release.yaml',
      '',
    ].join('\n'),
  );
  expect(sortedPaths(files)).toEqual([
    'components.yaml',
    'manual/release.yaml',
    'pipeline/00-pipelines.yaml',
  ]);
});

test("the operator's own kodata is no entry: it comes with its source", () => {
  const files = renderComponents([payload('tektoncd/operator', null, null, 'a/b.yaml')]);
  expect(sortedPaths(files)).toEqual(['components.yaml']);
});

test('components of the same name keep their owners', () => {
  const files = renderComponents([
    payload('one/hub', 'one', '1.0.0', 'one/1.0.0/x.yaml'),
    payload('two/hub', 'two', '1.0.0', 'two/1.0.0/x.yaml'),
  ]);
  expect(sortedPaths(files)).toEqual(['components.yaml', 'one-hub/x.yaml', 'two-hub/x.yaml']);
});
