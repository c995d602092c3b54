import { expect, test } from 'vitest';
import { operator, pipeline, tree } from '../../../test/support/small-product.ts';
import { carriedModules } from './carried-modules.ts';

const module = 'module github.com/tektoncd/pipeline\n';

test.for<[string, Record<string, string>, string | null]>([
  [
    'in a block',
    { 'go.mod': 'module x\nrequire (\n\tgithub.com/tektoncd/pipeline v1.2.0\n)\n' },
    'Go module github.com/tektoncd/pipeline v1.2.0',
  ],
  [
    'in a line',
    { 'go.mod': 'module x\nrequire github.com/tektoncd/pipeline v0.9.0 // indirect\n' },
    'Go module github.com/tektoncd/pipeline v0.9.0',
  ],
  [
    'as a submodule',
    { '.gitmodules': '[submodule "a"]\n\turl = https://github.com/tektoncd/pipeline.git\n' },
    'submodule https://github.com/tektoncd/pipeline.git',
  ],
  [
    'under a longer name only',
    { 'go.mod': 'module x\nrequire github.com/tektoncd/pipeline/v2 v2.0.0\n' },
    null,
  ],
  ['not at all', { 'go.mod': 'module x\n' }, null],
])('a component that another one carries %s is found', ([, files, as]) => {
  const found = carriedModules(
    new Map([
      [pipeline, tree({ 'go.mod': module })],
      [operator, tree(files)],
    ]),
  );
  expect(found).toEqual(as === null ? [] : [{ carried: pipeline, carrier: operator, as }]);
});
