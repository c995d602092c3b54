import { expect, test } from 'vitest';
import { type FileTree, textFile } from '../../plan/file-tree.ts';
import type { ComponentName } from '../../plan/names.ts';
import { composeContext } from './compose-context.ts';

const pipeline = 'tektoncd/pipeline' as ComponentName;
const triggers = 'tektoncd/triggers' as ComponentName;
const tree = (...paths: string[]): FileTree => new Map(paths.map((path) => [path, textFile(path)]));
const product = tree(
  'upstream_sources.yaml',
  'distgit/controller/Dockerfile',
  'distgit/controller/patches/stale.patch',
  'distgit/controller/remote-source/app/stale.go',
  'patches/pipeline/0001-a.patch',
  'patches/pipeline/0002-b.patch',
  'patches/triggers/0001-a.patch',
);
const folder = 'distgit/controller';
const paths = (found: FileTree) => [...found.keys()].sort();

test('holds the container folder and the source of its component, nothing stale', () => {
  const context = composeContext({
    ...{ product, folder },
    components: [{ name: pipeline, source: tree('main.go', 'vendor/x.go') }],
  });
  expect(paths(context)).toEqual([
    'Dockerfile',
    'patches/stale.patch',
    'remote-source/app/main.go',
    'remote-source/app/vendor/x.go',
  ]);
});

test('holds exactly the patches that are left, as the product has them', () => {
  const patches = { dir: 'patches/pipeline', left: ['0002-b.patch'] };
  const context = composeContext({
    ...{ product, folder },
    components: [{ name: pipeline, source: tree('main.go'), patches }],
  });
  expect(paths(context)).toEqual([
    'Dockerfile',
    'patches/0002-b.patch',
    'remote-source/app/main.go',
  ]);
  expect(context.get('patches/0002-b.patch')).toBe(product.get('patches/pipeline/0002-b.patch'));
});

test('keeps an empty folder of patches where none is left', () => {
  const patches = { dir: 'patches/pipeline', left: [] };
  const context = composeContext({
    ...{ product, folder },
    components: [{ name: pipeline, source: tree('main.go'), patches }],
  });
  expect(paths(context)).toContain('patches/.placeholder');
  expect(paths(context)).not.toContain('patches/stale.patch');
});

test('several components lie side by side, with their patches', () => {
  const context = composeContext({
    ...{ product, folder },
    components: [
      {
        name: pipeline,
        source: tree('a.go'),
        patches: { dir: 'patches/pipeline', left: ['0001-a.patch'] },
      },
      {
        name: triggers,
        source: tree('b.go'),
        patches: { dir: 'patches/triggers', left: ['0001-a.patch'] },
      },
    ],
  });
  expect(paths(context)).toEqual([
    'Dockerfile',
    'patches/pipeline/0001-a.patch',
    'patches/triggers/0001-a.patch',
    'remote-source/app/stale.go',
    'remote-sources/pipeline/app/a.go',
    'remote-sources/triggers/app/b.go',
  ]);
});
