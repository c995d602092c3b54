import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { run } from '../src/adapters/processes/command.ts';
import { type FileTree, gitTreeSha, type TreeFile, textFile } from '../src/plan/file-tree.ts';

// Not beside file-tree.ts, which decides and starts no program.

const link = (target: string): TreeFile => ({ mode: '120000', content: Buffer.from(target) });
const texts = (files: Record<string, string>): FileTree =>
  new Map(Object.entries(files).map(([path, text]) => [path, textFile(text)]));

test.for<[string, FileTree]>([
  ['nothing', new Map()],
  [
    'folders that sort among files as if their names ended in a slash',
    texts({ 'a.b': '1', 'a/x': '2', 'a-b': '3', a0: '4', 'a/y/z': '5' }),
  ],
  [
    'programs, links and bytes that are no text',
    new Map<string, TreeFile>([
      ['bin/run', textFile('#!/bin/sh\n', '100755')],
      ['bin/also', link('run')],
      ['data', textFile(Buffer.from([0, 255, 10, 13]))],
      ['ümlaut/ß', textFile('')],
    ]),
  ],
])('gives %s the object name that git gives it', async ([, tree]) => {
  expect(gitTreeSha(tree)).toBe(await treeShaOfGit(tree));
});

/** What git itself says, through `update-index` and `write-tree` in a fresh repository. */
async function treeShaOfGit(tree: FileTree): Promise<string> {
  const cwd = await mkdtemp(join(tmpdir(), 'tributary-tree-'));
  onTestFinished(() => rm(cwd, { recursive: true, force: true }));
  const git = async (args: string[], input: string | Buffer = '') =>
    (await run('git', args, { cwd, input })).stdout.toString().trim();
  await git(['init', '-q']);
  let index = '';
  for (const [path, { mode, content }] of tree) {
    index += `${mode} ${await git(['hash-object', '-w', '--stdin'], content)}\t${path}\0`;
  }
  await git(['update-index', '-z', '--index-info'], index);
  return git(['write-tree']);
}
