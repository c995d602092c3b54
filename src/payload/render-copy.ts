import type { Failure, Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import type { FileTree, TreeFile } from '../plan/file-tree.ts';
import { type FoundInput, findInput, type Input, missingInput } from './find-input.ts';

/** Files as they are, and the links that were left out because nothing in the component is behind them. */
export interface Copied {
  readonly files: FileTree;
  readonly leftOut: readonly string[];
}

/**
 * The files of the inputs: of a folder everything in it, of a file itself by its name. Links become
 * what they lead to, as in a ko build; those that lead nowhere (`HEAD → ../.git/HEAD`) are left out.
 */
export function renderCopy(source: FileTree, inputs: readonly Input[]): Outcome<Copied> {
  const files = new Map<string, TreeFile>();
  const leftOut: string[] = [];
  const missing: Failure[] = [];
  for (const { path } of inputs) {
    const found = findInput(source, path);
    if (found === undefined) missing.push(missingInput(path));
    else {
      for (const [name, file] of filesOf(found, path)) {
        if (file === undefined) leftOut.push(name);
        else files.set(name, file);
      }
    }
  }
  const [first, ...rest] = missing;
  return first === undefined ? ok({ files, leftOut }) : failed(first, ...rest);
}

function filesOf(found: FoundInput, path: string): [name: string, file: TreeFile | undefined][] {
  if (found.kind === 'file') return [[path.split('/').at(-1) as string, found.file]];
  return found.names.map((name) => [name, found.file(name)]);
}
