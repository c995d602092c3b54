import type { Failure, Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import type { FileTree } from '../plan/file-tree.ts';
import { type FoundInput, findInput, type Input, missingInput } from './find-input.ts';

/** A file to read: its path for people, and its text. */
export interface InputFile {
  readonly path: string;
  readonly text: string;
}

/**
 * The files that `ko resolve -f` would read, in its order: Go's filepath.Walk, so names are sorted
 * within each folder (`a/` before `a.yaml`); folders inside a folder only with `recursive`; of a folder
 * only `.yaml` and `.json` (not `.yml`), of a file named outright any.
 */
export function walkInputs(source: FileTree, inputs: readonly Input[]): Outcome<InputFile[]> {
  const files: InputFile[] = [];
  const missing: Failure[] = [];
  for (const input of inputs) {
    const found = findInput(source, input.path);
    if (found === undefined) missing.push(missingInput(input.path));
    else files.push(...filesOf(found, input));
  }
  const [first, ...rest] = missing;
  return first === undefined ? ok(files) : failed(first, ...rest);
}

function filesOf(found: FoundInput, { path, recursive }: Input): InputFile[] {
  if (found.kind === 'file') return [{ path, text: found.file.content.toString() }];
  return walkOrder(found.names, recursive).flatMap((name) => {
    const file = found.file(name);
    const shown = path === '.' ? name : `${path}/${name}`;
    return file === undefined ? [] : [{ path: shown, text: file.content.toString() }];
  });
}

function walkOrder(names: readonly string[], recursive: boolean): string[] {
  return names
    .filter((name) => (recursive || !name.includes('/')) && /\.(yaml|json)$/.test(name))
    .sort(asWalked);
}

// Segment by segment, each by its bytes: the whole path would sort `a.yaml` before `a/b.yaml`.
function asWalked(a: string, b: string): number {
  const [left, right] = [a.split('/'), b.split('/')];
  for (const [index, part] of left.entries()) {
    const other = right[index];
    if (other === undefined) return 1;
    if (part !== other) return Buffer.compare(Buffer.from(part), Buffer.from(other));
  }
  return left.length - right.length;
}
