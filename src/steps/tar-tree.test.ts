import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packTar, type TarEntry } from 'modern-tar';
import { expect, onTestFinished, test } from 'vitest';
import { run } from '../adapters/processes/command.ts';
import { type FileTree, type TreeFile, textFile } from '../plan/file-tree.ts';
import { packTree, unpackTree } from './tar-tree.ts';

const limits = { bytes: 10_000_000, entries: 1000 };
const tree: FileTree = new Map<string, TreeFile>([
  ['a/b.txt', textFile('hello')],
  ['a/empty', textFile('')],
  ['a/run', textFile('#!/bin/sh\n', '100755')],
  ['link', { mode: '120000', content: Buffer.from('../../outside') }],
  [`${'long/'.repeat(60)}name`, textFile('far down')],
  ['ümlaut', textFile('ü')],
]);

test('unpacks what it packed', async () => {
  const unpacked = await unpackTree(await packTree(tree), limits);
  expect(unpacked.ok && new Map([...unpacked.value].sort())).toEqual(new Map([...tree].sort()));
});

test('writes folders, sorted names, time 0 and owner 0, as tar reads it', async () => {
  const archive = await packTree(new Map([...tree].slice(0, 4).reverse()));
  const { stdout } = await run('tar', ['--utc', '--numeric-owner', '-tvf', '-'], {
    cwd: '/',
    input: archive,
  });
  expect(stdout.toString().replaceAll(/ +/g, ' ')).toBe(
    [
      'drwxr-xr-x 0/0 0 1970-01-01 00:00 a/',
      '-rw-r--r-- 0/0 5 1970-01-01 00:00 a/b.txt',
      '-rw-r--r-- 0/0 0 1970-01-01 00:00 a/empty',
      '-rwxr-xr-x 0/0 10 1970-01-01 00:00 a/run',
      'lrwxrwxrwx 0/0 0 1970-01-01 00:00 link -> ../../outside\n',
    ].join('\n'),
  );
});

test('reads what GNU tar writes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-tar-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, 'd'));
  await writeFile(join(folder, 'd/one'), 'one');
  await symlink('one', join(folder, 'd/two'));
  await run('ln', ['d/one', 'd/three'], { cwd: folder });
  const { stdout } = await run('tar', ['-cf', '-', '--sort=name', '.'], { cwd: folder });
  expect(await unpackTree(stdout, limits)).toEqual({
    ok: true,
    value: new Map([
      ['d/one', textFile('one')],
      ['d/three', textFile('one')],
      ['d/two', { mode: '120000', content: Buffer.from('one') }],
    ]),
  });
});

const file = (name: string): TarEntry => ({ header: { name, size: 1, type: 'file' }, body: 'x' });
test.for<[string, TarEntry[]]>([
  ['a name that leads out', [file('../evil')]],
  ['an absolute name', [file('/etc/passwd')]],
  ['a name that leads out on the way', [file('a/../../evil')]],
  [
    'a file below a link',
    [{ header: { name: 'a', size: 0, type: 'symlink', linkname: '/etc' } }, file('a/passwd')],
  ],
  [
    'a folder above, in a header of its own',
    [{ header: { name: 'a', size: 0, type: 'file', pax: { path: '../evil' } } }],
  ],
  [
    'a sparse file',
    [
      {
        header: { name: 'a', size: 1, type: 'file', pax: { 'GNU.sparse.size': '9'.repeat(12) } },
        body: 'x',
      },
    ],
  ],
  ['a path deeper than any folder', [file('a/'.repeat(300).concat('b'))]],
  ['a name longer than any file', [file('x'.repeat(300))]],
  ['a pipe', [{ header: { name: 'a', size: 0, type: 'fifo' } }]],
  ['a device', [{ header: { name: 'null', size: 0, type: 'character-device' } }]],
  [
    'a hard link to nothing',
    [{ header: { name: 'a', size: 0, type: 'link', linkname: '/etc/passwd' } }],
  ],
  ['too many entries', Array.from({ length: 1001 }, (_, index) => file(`f${index}`))],
])('does not trust %s', async ([, entries]) => {
  const unpacked = await unpackTree(Buffer.from(await packTar(entries)), limits);
  expect(unpacked.ok).toBe(false);
});

test('does not trust a damaged or too large archive', async () => {
  const archive = await packTree(tree);
  archive.fill(7, 600, 700);
  expect((await unpackTree(archive, limits)).ok).toBe(false);
  expect((await unpackTree(await packTree(tree), { ...limits, bytes: 1000 })).ok).toBe(false);
});
