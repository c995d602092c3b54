import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { type FileTree, folders, treeProblem } from '../plan/file-tree.ts';

/**
 * Writes a tree into a folder that this call makes (or that is empty). Links come last and are never
 * followed, so that a stranger's tree cannot write anywhere else.
 */
export async function writeTree(tree: FileTree, folder: string): Promise<void> {
  const problem = treeProblem(tree);
  if (problem !== undefined) throw new Error(problem);
  await mkdir(folder, { recursive: true });
  for (const inner of [...new Set([...tree.keys()].flatMap(folders))].sort()) {
    await mkdir(join(folder, inner));
    await chmod(join(folder, inner), 0o755);
  }
  const limit = pLimit(16);
  const files = [...tree].filter(([, file]) => file.mode !== '120000');
  await limit.map(files, async ([path, file]) => {
    await writeFile(join(folder, path), file.content, { flag: 'wx' });
    // The umask of whoever runs us must not change what a build sees.
    await chmod(join(folder, path), file.mode === '100755' ? 0o755 : 0o644);
  });
  for (const [path, file] of tree) {
    if (file.mode === '120000') await symlink(file.content, join(folder, path));
  }
}
