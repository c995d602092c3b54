import { createHash } from 'node:crypto';
import type { TreeSha } from './names.ts';

/** A file of a {@link FileTree}; the content of a symbolic link (mode 120000) is its target. */
export interface TreeFile {
  readonly mode: '100644' | '100755' | '120000';
  readonly content: Buffer;
}

/**
 * The files of a git tree by path (`config/controller.yaml`), in memory: nothing in it can lead out
 * of it, which a folder with symbolic links from a stranger could. Submodules are not in it.
 */
export type FileTree = ReadonlyMap<string, TreeFile>;

/** A regular file with this text (or bytes). */
export function textFile(content: string | Buffer, mode: '100644' | '100755' = '100644'): TreeFile {
  return { mode, content: typeof content === 'string' ? Buffer.from(content) : content };
}

/**
 * Whether a path is usable in a tree: relative, no empty, `.` or `..` segment, no NUL, and not longer or deeper
 * than a file system takes.
 */
export function isInnerPath(path: string): boolean {
  if (path.length > 4096 || path.includes('\0')) return false;
  const parts = path.split('/');
  return parts.length <= 256 && parts.every(isName);
}

function isName(part: string): boolean {
  if (part === '' || part === '.' || part === '..') return false;
  return part.length < 64 || Buffer.byteLength(part) <= 255;
}

/** Why a tree could not be written to a folder: a bad path, or a file where a folder has to be. */
export function treeProblem(tree: FileTree): string | undefined {
  return pathsProblem([...tree.keys()]);
}

/** The same of paths alone; a path that comes twice is a problem, too. */
export function pathsProblem(paths: readonly string[]): string | undefined {
  const files = new Set(paths);
  if (files.size < paths.length) return 'a path comes twice';
  for (const path of paths) {
    if (!isInnerPath(path)) return `${JSON.stringify(path)} is not a path inside the tree`;
    const blocker = folders(path).find((folder) => files.has(folder));
    if (blocker !== undefined) return `${blocker} is both a file and a folder`;
  }
  return undefined;
}

/** The folders above a path, outermost first: `a/b/c` gives `a`, `a/b`. */
export function folders(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** The object name that git gives this tree (an empty one is 4b825dc…). */
export function gitTreeSha(tree: FileTree): TreeSha {
  return objectSha('tree', encodeFolder(asFolder(tree))).toString('hex') as TreeSha;
}

/** What lies in a folder (`.` is the tree itself), by paths relative to it. */
export function subtree(tree: FileTree, folder: string): FileTree {
  if (folder === '.' || folder === '') return tree;
  const prefix = `${folder}/`;
  return new Map(
    [...tree]
      .filter(([path]) => path.startsWith(prefix))
      .map(([path, file]) => [path.slice(prefix.length), file]),
  );
}

/** The tree as it looks from outside a folder that holds it: the opposite of {@link subtree}. */
export function placedIn(folder: string, tree: FileTree): FileTree {
  if (folder === '.' || folder === '') return tree;
  return new Map([...tree].map(([path, file]) => [`${folder}/${path}`, file]));
}

/** The tree without a file, or without a folder and everything in it. */
export function without(tree: FileTree, path: string): FileTree {
  const prefix = `${path}/`;
  return new Map([...tree].filter(([name]) => name !== path && !name.startsWith(prefix)));
}

/** The trees one over the other: of two files with one path, the later one; a file also hides a folder. */
export function withFiles(lower: FileTree, ...uppers: readonly FileTree[]): FileTree {
  const merged = new Map(lower);
  for (const upper of uppers) {
    const above = new Set([...upper.keys()].flatMap(folders));
    for (const path of [...merged.keys()]) {
      if (above.has(path) || folders(path).some((folder) => upper.has(folder))) merged.delete(path);
    }
    for (const [path, file] of upper) merged.set(path, file);
  }
  return merged;
}

/** Paths in the order of their bytes, the same on every machine. */
export function sortedPaths(tree: FileTree): string[] {
  return [...tree.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/**
 * The path that `path` leads to after following the tree's own symbolic links, whether or not
 * something is there; undefined where a link leads out of the tree or in circles.
 */
export function resolvePath(tree: FileTree, path: string): string | undefined {
  const pending = path.split('/').reverse();
  const done: string[] = [];
  for (let hops = 0; pending.length > 0; ) {
    const part = pending.pop() as string;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (done.pop() === undefined) return undefined;
      continue;
    }
    const link = tree.get([...done, part].join('/'));
    if (link?.mode !== '120000') {
      done.push(part);
      continue;
    }
    const target = link.content.toString();
    hops += 1;
    if (hops > maximalHops || target.length > 4096 || target.startsWith('/')) return undefined;
    pending.push(...target.split('/').reverse());
  }
  return done.join('/');
}

/** As many links as Linux follows in one path. */
const maximalHops = 40;

/** The file at a path, through the tree's own symbolic links; undefined where there is none. */
export function readFile(tree: FileTree, path: string): TreeFile | undefined {
  const resolved = resolvePath(tree, path);
  return resolved === undefined ? undefined : tree.get(resolved);
}

/** The text at a path, through the tree's own symbolic links; undefined where there is none. */
export function readText(tree: FileTree, path: string): string | undefined {
  return readFile(tree, path)?.content.toString();
}

type Folder = Map<string, TreeFile | Folder>;

function asFolder(tree: FileTree): Folder {
  const root: Folder = new Map();
  for (const [path, file] of tree) {
    const parts = path.split('/');
    const name = parts.pop() as string;
    let folder = root;
    for (const part of parts) {
      const next = folder.get(part) ?? new Map();
      if (!(next instanceof Map)) throw new Error(`${path}: ${part} is both a file and a folder`);
      folder.set(part, next);
      folder = next;
    }
    folder.set(name, file);
  }
  return root;
}

// git sorts the names of a tree by their bytes, and a folder as if its name ended in a slash.
function encodeFolder(folder: Folder): Buffer {
  const entries = [...folder].map(([name, entry]) => {
    const isFolder = entry instanceof Map;
    const sha = isFolder
      ? objectSha('tree', encodeFolder(entry))
      : objectSha('blob', entry.content);
    return {
      order: Buffer.from(isFolder ? `${name}/` : name),
      bytes: Buffer.concat([Buffer.from(`${isFolder ? '40000' : entry.mode} ${name}\0`), sha]),
    };
  });
  entries.sort((a, b) => Buffer.compare(a.order, b.order));
  return Buffer.concat(entries.map((entry) => entry.bytes));
}

/** The object name that git gives to a file of this content. */
export function blobSha(content: Buffer): string {
  return objectSha('blob', content).toString('hex');
}

function objectSha(type: 'tree' | 'blob', content: Buffer): Buffer {
  return createHash('sha1').update(`${type} ${content.length}\0`).update(content).digest();
}
