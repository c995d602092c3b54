import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** The files of a commit: path → content, and whether they may be run. */
export type FileSet = ReadonlyMap<
  string,
  { readonly content: string; readonly executable: boolean }
>;

/** What one commit changes. Texts are replaced everywhere in their file, in the order given. */
export interface Change {
  /** Files and folders that the commit adds. */
  readonly adds?: readonly string[];
  /** Folders that it renames: [before, after]. */
  readonly moves?: readonly (readonly [string, string])[];
  /** File (after moves) → pairs of [before, after]. */
  readonly edits?: Readonly<Record<string, readonly (readonly [string, string])[]>>;
}

/** All files below a folder. */
export function readFileSet(folder: string): FileSet {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return new Map(
    files.map((file) => [
      file.slice(folder.length + 1),
      { content: readFileSync(file, 'utf8'), executable: (statSync(file).mode & 0o100) !== 0 },
    ]),
  );
}

/** The files after a change that adds nothing. */
export function redo(files: FileSet, change: Change): FileSet {
  return edit(rename(files, change.moves ?? []), change.edits ?? {});
}

/** The files before a change. Every edit must be found: a history that tells of nothing is a mistake. */
export function undo(files: FileSet, change: Change): FileSet {
  const adds = change.adds ?? [];
  const kept = new Map([...files].filter(([path]) => !adds.some((added) => isWithin(path, added))));
  const edits = Object.entries(change.edits ?? {}).map(
    ([path, pairs]) =>
      [path, pairs.map(([before, after]) => [after, before] as const).reverse()] as const,
  );
  const moves = (change.moves ?? []).map(([before, after]) => [after, before] as const);
  return rename(edit(kept, Object.fromEntries(edits)), moves);
}

function edit(files: FileSet, edits: NonNullable<Change['edits']>): FileSet {
  const result = new Map(files);
  for (const [path, pairs] of Object.entries(edits)) {
    const file = result.get(path);
    if (file === undefined) throw new Error(`No file ${path} to edit.`);
    let { content } = file;
    for (const [from, to] of pairs) {
      if (!content.includes(from)) throw new Error(`${path} does not contain: ${from}`);
      content = content.replaceAll(from, to);
    }
    result.set(path, { ...file, content });
  }
  return result;
}

function rename(files: FileSet, moves: NonNullable<Change['moves']>): FileSet {
  const renamed = [...files].map(([path, file]) => {
    const move = moves.find(([from]) => isWithin(path, from));
    return [move === undefined ? path : move[1] + path.slice(move[0].length), file] as const;
  });
  return new Map(renamed.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
