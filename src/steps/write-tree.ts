import {
  chmodSync,
  closeSync,
  fchmodSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type FileTree, folders, type TreeFile, treeProblem } from '../plan/file-tree.ts';

/** Files between two looks at what else there is to do, such as to end. */
const atOnce = 256;

/**
 * Writes a tree into a folder that this call makes (or that is empty). Links come last and are never
 * followed, so that a stranger's tree cannot write anywhere else.
 *
 * Sources have ten thousand files and more: what Node spends on a promise for each would be most of the time.
 */
export async function writeTree(tree: FileTree, folder: string): Promise<void> {
  const problem = treeProblem(tree);
  if (problem !== undefined) throw new Error(problem);
  await mkdir(folder, { recursive: true });
  for (const inner of [...new Set([...tree.keys()].flatMap(folders))].sort()) {
    mkdirSync(join(folder, inner));
    chmodSync(join(folder, inner), 0o755);
  }
  const { links = [], files = [] } = Object.groupBy(tree, ([, { mode }]) =>
    mode === '120000' ? 'links' : 'files',
  );
  for (const [index, [path, file]] of files.entries()) {
    if (index % atOnce === 0) await nextTurn();
    writeOne(join(folder, path), file);
  }
  for (const [path, file] of links) symlinkSync(file.content, join(folder, path));
}

function writeOne(path: string, { mode, content }: TreeFile): void {
  const file = openSync(path, 'wx');
  try {
    writeFileSync(file, content);
    // The umask of whoever runs us must not change what a build sees.
    fchmodSync(file, mode === '100755' ? 0o755 : 0o644);
  } finally {
    closeSync(file);
  }
}
