import { isUtf8 } from 'node:buffer';
import { FailureError } from '../../builds/failure.ts';
import { pathsProblem, type TreeFile } from '../../plan/file-tree.ts';
import type { CommitSha, TreeSha } from '../../plan/names.ts';
import { quote } from '../../request/quote.ts';
import type { TreeFiles } from '../../resolve/git-interface.ts';
import type { GitStore } from './git-store.ts';

/** Bytes of all files that are read at once. */
const sizeLimit = 512 * 2 ** 20;

/** The files of a commit, or of a tree that is here (all, or those at or below `paths`), in memory. */
export async function readFiles(
  store: GitStore,
  tree: CommitSha | TreeSha,
  paths: readonly string[] = [],
): Promise<TreeFiles> {
  await store.ensureTrees([tree]);
  const entries = await listTree(store, tree, paths);
  const blobs = entries.filter((entry) => entry.mode !== '160000');
  const problem = pathsProblem(blobs.map(({ path }) => path));
  if (problem !== undefined) throw unusable(tree, problem.slice(0, 300));
  const objects = [...new Set(blobs.map((entry) => entry.object))];
  const bytes = await store.ensureBlobs(objects);
  if (bytes > sizeLimit) throw tooLarge(bytes);
  const contents = await readObjects(store, objects);
  const files = new Map<string, TreeFile>();
  for (const { path, mode, object } of blobs) {
    files.set(path, { mode: fileMode(mode), content: contents.get(object) as Buffer });
  }
  const submodules = entries.filter((entry) => entry.mode === '160000').map((entry) => entry.path);
  return { files, submodules };
}

interface Entry {
  readonly mode: string;
  readonly object: string;
  readonly path: string;
}

async function listTree(
  store: GitStore,
  tree: CommitSha | TreeSha,
  paths: readonly string[],
): Promise<readonly Entry[]> {
  const listed = await store.list(tree, [], paths.includes('.') ? [] : paths);
  if (!isUtf8(listed)) throw unusable(tree, 'a name is not UTF-8');
  return splitRecords(listed).map((record) => {
    const match = /^(\d{6}) [a-z]+ ([0-9a-f]{40})\t(.*)$/s.exec(record);
    if (match === null) throw new Error(`git ls-tree printed ${JSON.stringify(record)}`);
    const [, mode = '', object = '', path = ''] = match;
    if (/(^|\/)\.git(\/|$)/i.test(path)) throw unusable(tree, `${quote(path)} is git's own name`);
    return { mode, object, path };
  });
}

/** What git itself would not check out, or no disk holds. */
function unusable(tree: string, what: string): FailureError {
  return new FailureError({
    reason: 'unusable-files',
    detail: `The files of ${tree.slice(0, 12)} cannot be built: ${what}.`,
    hint: 'Rename or remove it in the ref.',
    about: { tree },
  });
}

function splitRecords(bytes: Buffer): string[] {
  return bytes
    .toString('utf8')
    .split('\0')
    .filter((record) => record !== '');
}

async function readObjects(
  store: GitStore,
  objects: readonly string[],
): Promise<Map<string, Buffer>> {
  const contents = new Map<string, Buffer>();
  if (objects.length === 0) return contents;
  const input = `${objects.join('\n')}\n`;
  const { stdout } = await store.run(['cat-file', '--batch', '--buffer'], { input });
  let offset = 0;
  for (const object of objects) {
    // Each object is `<name> <type> <size>\n<content>\n`.
    const end = stdout.indexOf(10, offset);
    const [name, , size] = stdout.toString('latin1', offset, end).split(' ');
    if (name !== object) throw new Error(`git cat-file answered ${name} for ${object}`);
    contents.set(object, stdout.subarray(end + 1, end + 1 + Number(size)));
    offset = end + 2 + Number(size);
  }
  return contents;
}

/** Old trees know 100664; git itself reads it as 100644. */
function fileMode(mode: string): TreeFile['mode'] {
  return mode === '120000' || mode === '100755' ? mode : '100644';
}

function tooLarge(total: number): FailureError {
  return new FailureError({
    reason: 'bad-product',
    detail: `A tree holds ${Math.round(total / 2 ** 20)} MiB of files, more than the ${sizeLimit / 2 ** 20} MiB that one build reads.`,
    hint: 'Repositories of this size cannot be built.',
  });
}
