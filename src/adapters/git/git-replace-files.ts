import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blobSha, type FileTree } from '../../plan/file-tree.ts';
import { parseTreeSha, type TreeSha } from '../../plan/names.ts';
import { line } from './git-command.ts';
import type { GitStore } from './git-store.ts';

/** A tree with other files; its submodules stay. */
export async function replaceFiles(
  store: GitStore,
  tree: TreeSha,
  files: FileTree,
): Promise<TreeSha> {
  const before = await listFiles(store, tree);
  const removed = [...before.keys()].filter((path) => !files.has(path));
  const changed = [...files]
    .map(([path, { mode, content }]) => ({ path, mode, content, sha: blobSha(content) }))
    .filter(({ path, mode, sha }) => before.get(path) !== `${mode} ${sha}`);
  if (removed.length + changed.length === 0) return tree;
  const folder = await mkdtemp(join(tmpdir(), 'tributary-files-'));
  const env = { GIT_INDEX_FILE: join(folder, 'index') };
  try {
    await writeBlobs(
      store,
      join(folder, 'blobs'),
      changed.map(({ content }) => content),
    );
    await store.run(['read-tree', tree], { env });
    // First what goes: a folder may take the place of a file.
    const rows = [
      ...removed.map((path) => `0 ${'0'.repeat(40)}\t${path}\0`),
      ...changed.map(({ path, mode, sha }) => `${mode} ${sha}\t${path}\0`),
    ];
    await store.run(['update-index', '-z', '--index-info'], { env, input: rows.join('') });
    const written = parseTreeSha(line(await store.run(['write-tree', '--missing-ok'], { env })));
    if (written === undefined) throw new Error('git write-tree named no tree');
    return written;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Path → `mode sha` of all files. */
async function listFiles(store: GitStore, tree: TreeSha): Promise<ReadonlyMap<string, string>> {
  const format = '--format=%(objecttype) %(objectmode) %(objectname) %(path)';
  const listed = await store.run(['ls-tree', '-r', '-z', format, tree]);
  const rows = listed.stdout.toString().split('\0');
  return new Map(
    rows.flatMap((row) => {
      const [, facts, path] = /^blob (\d+ [0-9a-f]{40}) (.*)$/s.exec(row) ?? [];
      return facts === undefined || path === undefined ? [] : [[path, facts] as const];
    }),
  );
}

async function writeBlobs(
  store: GitStore,
  folder: string,
  contents: readonly Buffer[],
): Promise<void> {
  await mkdir(folder);
  const paths = contents.map((_, index) => join(folder, String(index)));
  for (const [index, content] of contents.entries())
    await writeFile(join(folder, String(index)), content);
  await store.run(['hash-object', '-w', '--no-filters', '--stdin-paths'], {
    input: paths.map((path) => `${path}\n`).join(''),
  });
}
