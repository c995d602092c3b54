import { afterEach, beforeEach, expect, test } from 'vitest';
import { type SmallBuild, smallBuild } from '../../../test/support/small-build.ts';
import { tree } from '../../../test/support/small-product.ts';
import { readImageFile } from './read-image-file.ts';

let build: SmallBuild;
beforeEach(async () => {
  build = await smallBuild();
});
afterEach(() => build[Symbol.asyncDispose]());

test.for<[string, readonly Record<string, string>[], string | undefined]>([
  ['the only layer', [{ 'kodata/HEAD': 'one' }], 'one'],
  ['a lower layer', [{ 'kodata/HEAD': 'one' }, { other: '' }], 'one'],
  ['the uppermost layer that has it', [{ 'kodata/HEAD': 'one' }, { 'kodata/HEAD': 'two' }], 'two'],
  ['no layer', [{ 'kodata/HEADS': 'one' }], undefined],
  [
    'a layer below one that removes it',
    [{ 'kodata/HEAD': 'one' }, { 'kodata/.wh.HEAD': '' }],
    undefined,
  ],
  [
    'a layer below one that removes its folder',
    [{ 'kodata/HEAD': 'one' }, { '.wh.kodata': '' }],
    undefined,
  ],
  [
    'a layer below one that hides its folder',
    [{ 'kodata/HEAD': 'one' }, { 'kodata/.wh..wh..opq': '' }],
    undefined,
  ],
  [
    'a layer that hides and has it',
    [{ 'kodata/HEAD': 'one' }, { 'kodata/.wh..wh..opq': '', 'kodata/HEAD': 'two' }],
    'two',
  ],
  [
    'a layer below one that removes another',
    [{ 'kodata/HEAD': 'one' }, { 'kodata/.wh.HEADS': '' }],
    'one',
  ],
])('a file of an image is read from %s', async ([, layers, expected]) => {
  const repository = `${build.remote}/some`;
  const digest = await build.pushImage(`${repository}:1`, ...layers.map(tree));
  const content = await readImageFile(build.registry, repository, digest, '/kodata/HEAD');
  expect(content?.toString()).toBe(expected);
});
