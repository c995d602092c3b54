import type { Failure, Outcome } from '../../builds/failure.ts';
import { failed, ok } from '../../builds/result.ts';
import { type FileTree, readFile, resolvePath, subtree } from '../../plan/file-tree.ts';

/** An input of a payload rule: a file, or a folder with or without what is below it. */
export interface Input {
  readonly path: string;
  readonly recursive: boolean;
}

/**
 * The files that `ko resolve -f` would read, in its order: Go's filepath.Walk, so names are sorted
 * within each folder (`a/` before `a.yaml`); folders inside a folder only with `recursive`; of a folder
 * only `.yaml` and `.json` (not `.yml`), of a file named outright any.
 */
export function walkInputs(tree: FileTree, inputs: readonly Input[]): Outcome<string[]> {
  const files: string[] = [];
  const failures: Failure[] = [];
  for (const { path, recursive } of inputs) {
    const root = resolvePath(tree, path) ?? '';
    const inside = path === '.' ? tree : root === '' ? new Map() : subtree(tree, root);
    if (root !== '' && tree.has(root)) files.push(path);
    else if (inside.size > 0) files.push(...walkFolder(tree, path, inside, recursive));
    else failures.push(missing(path));
  }
  const [first, ...rest] = failures;
  return first === undefined ? ok(files) : failed(first, ...rest);
}

function walkFolder(tree: FileTree, path: string, inside: FileTree, recursive: boolean): string[] {
  return [...inside.keys()]
    .filter((name) => recursive || !name.includes('/'))
    .filter((name) => /\.(yaml|json)$/.test(name))
    .sort(asWalked)
    .map((name) => (path === '.' ? name : `${path}/${name}`))
    .filter((name) => readFile(tree, name) !== undefined);
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

function missing(path: string): Failure {
  return {
    reason: 'bad-payload',
    detail: `The payload input ${path} does not exist in the component.`,
    hint: "Check that the ref has it, or mend the component's `payload.inputs` in product.yaml.",
    about: { input: path },
  };
}
