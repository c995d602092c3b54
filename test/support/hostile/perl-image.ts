import { readFile } from 'node:fs/promises';
import { run } from '../../../src/adapters/processes/command.ts';
import type { FileTree, TreeFile } from '../../../src/plan/file-tree.ts';

/** Perl of this machine with what it needs, for an image whose code knows system calls. */
export async function perlFiles(): Promise<FileTree> {
  const { stdout } = await run('ldd', ['/usr/bin/perl'], { cwd: '/' });
  const libraries = stdout.toString().match(/\/\S+\.so\S*/g) ?? [];
  const files = new Map<string, TreeFile>();
  for (const path of ['/usr/bin/perl', ...libraries]) {
    files.set(path.slice(1), { mode: '100755', content: await readFile(path) });
  }
  files.set('bin/perl', { mode: '120000', content: Buffer.from('/usr/bin/perl') });
  return files;
}
