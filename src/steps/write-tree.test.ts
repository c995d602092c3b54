import { lstat, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type TreeFile, textFile } from '../plan/file-tree.ts';
import { writeTree } from './write-tree.ts';

test('writes files, programs and links, whatever the umask', async () => {
  const folder = join(await temporaryFolder(), 'new');
  const before = process.umask(0o077);
  await writeTree(
    new Map<string, TreeFile>([
      ['a/b/c', textFile('text')],
      ['a/run', textFile('#!', '100755')],
      ['a/link', { mode: '120000', content: Buffer.from('b/c') }],
    ]),
    folder,
  ).finally(() => process.umask(before));
  expect(await readFile(join(folder, 'a/b/c'), 'utf8')).toBe('text');
  expect((await lstat(join(folder, 'a/b/c'))).mode & 0o777).toBe(0o644);
  expect((await lstat(join(folder, 'a/run'))).mode & 0o777).toBe(0o755);
  expect((await lstat(join(folder, 'a/b'))).mode & 0o777).toBe(0o755);
  expect(await readlink(join(folder, 'a/link'))).toBe('b/c');
});

test('never writes through a link of the tree', async () => {
  const parent = await temporaryFolder();
  await writeFile(join(parent, 'victim'), 'safe');
  const tree = new Map<string, TreeFile>([
    ['x', { mode: '120000', content: Buffer.from('..') }],
    ['x/victim', textFile('owned')],
  ]);
  await expect(writeTree(tree, join(parent, 'folder'))).rejects.toThrow(/both a file and a folder/);
  const outside = new Map([['../victim', textFile('owned')]]);
  await expect(writeTree(outside, join(parent, 'folder'))).rejects.toThrow();
  expect(await readFile(join(parent, 'victim'), 'utf8')).toBe('safe');
  expect(await readdir(parent)).toEqual(['victim']);
});

async function temporaryFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-write-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
