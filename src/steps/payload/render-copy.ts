import type { Failure, Outcome } from '../../builds/failure.ts';
import { failed, ok } from '../../builds/result.ts';
import {
  type FileTree,
  readFile,
  resolvePath,
  subtree,
  type TreeFile,
} from '../../plan/file-tree.ts';
import type { Input } from './walk-inputs.ts';

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
    const root = resolvePath(source, path) ?? '';
    const named = readFile(source, path);
    const inside = path === '.' ? source : root === '' ? new Map() : subtree(source, root);
    if (named === undefined && inside.size === 0) missing.push(missingInput(path));
    if (named !== undefined) files.set(path.split('/').at(-1) as string, named);
    for (const name of inside.keys()) {
      const file = readFile(source, path === '.' ? name : `${root}/${name}`);
      if (file === undefined) leftOut.push(name);
      else files.set(name, file);
    }
  }
  const [first, ...rest] = missing;
  return first === undefined ? ok({ files, leftOut }) : failed(first, ...rest);
}

function missingInput(path: string): Failure {
  return {
    reason: 'bad-payload',
    detail: `The payload input ${path} does not exist in the component.`,
    hint: "Check that the ref has it, or mend the component's `payload.inputs` in product.yaml.",
    about: { input: path },
  };
}
