import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { countedFiles } from './tool-set.ts';

test('a checkout counts the same files as an image, which has no others', () => {
  const checkout = join(import.meta.dirname, '../../..');
  const left = readFileSync(join(checkout, '.containerignore'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && line !== '*' && !line.startsWith('!'));
  const inImage = globSync('src/**/*.{ts,sh}', { cwd: checkout, exclude: left });
  expect(countedFiles().map((name) => `src/${name}`)).toEqual(inImage.sort());
});
