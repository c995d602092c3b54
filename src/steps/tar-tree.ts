import { packTar, type TarEntry, type TarHeader, unpackTar } from 'modern-tar';
import { failed, ok, type Result } from '../builds/result.ts';
import {
  type FileTree,
  folders,
  isInnerPath,
  sortedPaths,
  type TreeFile,
  treeProblem,
} from '../plan/file-tree.ts';
import { strangeType } from './tar-types.ts';

/** What an archive may hold at most. */
export interface TarLimits {
  /** Of the archive, uncompressed. */
  readonly bytes: number;
  /** Files, folders and links. */
  readonly entries: number;
}

/** Enough for the sources of a large component with everything it vendors. */
export const generousLimits: TarLimits = { bytes: 1024 * 1024 * 1024, entries: 500_000 };

/**
 * The tree as a tar archive whose bytes depend on nothing but the tree: sorted, with every folder,
 * time 0, owner 0, modes 0644 and 0755.
 */
export async function packTree(tree: FileTree): Promise<Buffer> {
  const problem = treeProblem(tree);
  if (problem !== undefined) throw new Error(problem);
  const told = new Set<string>();
  const entries: TarEntry[] = [];
  for (const path of sortedPaths(tree)) {
    for (const folder of folders(path)) {
      if (told.has(folder)) continue;
      told.add(folder);
      entries.push({
        header: { ...stamp, name: `${folder}/`, type: 'directory', size: 0, mode: 0o755 },
      });
    }
    entries.push(fileEntry(path, tree.get(path) as TreeFile));
  }
  const packed = await packTar(entries);
  return Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
}

const stamp = { mtime: new Date(0), uid: 0, gid: 0 } as const;

function fileEntry(path: string, file: TreeFile): TarEntry {
  if (file.mode === '120000') {
    const linkname = file.content.toString();
    return { header: { ...stamp, name: path, type: 'symlink', size: 0, mode: 0o777, linkname } };
  }
  const mode = file.mode === '100755' ? 0o755 : 0o644;
  const header = { ...stamp, name: path, type: 'file', size: file.content.length, mode } as const;
  return { header, body: file.content };
}

/**
 * The files of a tar archive, or why it is not trusted: names that lead out, devices, more than the
 * limits. Symbolic links stay data; a hard link becomes a copy.
 */
export async function unpackTree(
  archive: Buffer,
  limits: TarLimits,
): Promise<Result<FileTree, string>> {
  if (archive.length > limits.bytes) return failed(`it is larger than ${limits.bytes} bytes`);
  let count = 0;
  const tree = new Map<string, TreeFile>();
  try {
    const strange = strangeType(archive);
    if (strange !== undefined) return failed(strange);
    const filter = ({ pax }: TarHeader) => {
      // Only beyond 8 GiB is there need of it: elsewhere it hides headers from whom it is not known to.
      if (pax?.['size'] !== undefined) throw new BadTar('it has a size besides its header');
      count += 1;
      if (count > limits.entries) throw new BadTar(`it has more than ${limits.entries} entries`);
      return true;
    };
    for (const entry of await unpackTar(archive, { strict: true, filter })) addEntry(tree, entry);
  } catch (error) {
    // The decoder reports a damaged archive by throwing plain errors.
    if (error instanceof Error) return failed(error.message);
    throw error;
  }
  const problem = treeProblem(tree);
  return problem === undefined ? ok(tree) : failed(problem);
}

class BadTar extends Error {}

type UnpackedEntry = Awaited<ReturnType<typeof unpackTar>>[number];

function addEntry(tree: Map<string, TreeFile>, { header, data = new Uint8Array() }: UnpackedEntry) {
  const { type = 'file', linkname = '', mode = 0 } = header;
  const path = innerPath(header.name);
  if (isSparse(header)) throw new BadTar(`${JSON.stringify(path)} is a sparse file`);
  if (type === 'directory') return;
  if (path === '.') throw new BadTar('it has a file without a name');
  if (type === 'symlink') {
    tree.set(path, { mode: '120000', content: Buffer.from(linkname) });
  } else if (type === 'link') {
    const target = tree.get(innerPath(linkname));
    if (target === undefined) throw new BadTar(`${JSON.stringify(path)} is a hard link to nothing`);
    tree.set(path, target);
  } else if (type === 'file') {
    tree.set(path, {
      mode: (mode & 0o111) === 0 ? '100644' : '100755',
      content: Buffer.from(data.buffer, data.byteOffset, data.byteLength),
    });
  } else {
    throw new BadTar(`${JSON.stringify(path)} is a ${type}`);
  }
}

function isSparse({ pax = {} }: UnpackedEntry['header']): boolean {
  return Object.keys(pax).some((key) => key.startsWith('GNU.sparse.'));
}

// Other programs write `./a` and `a/`; everything else that is not a plain inner path is refused.
function innerPath(name: string): string {
  const path = name.replace(/^(\.\/)+/, '').replace(/\/+$/, '');
  if (path === '' || path === '.') return '.';
  if (!isInnerPath(path)) throw new BadTar(`${JSON.stringify(name)} leads out of it`);
  return path;
}
