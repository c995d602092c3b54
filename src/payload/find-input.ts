import type { Failure } from '../builds/failure.ts';
import { type FileTree, readFile, resolvePath, subtree, type TreeFile } from '../plan/file-tree.ts';

/** An input of a payload rule: a file, or a folder with or without what is below it. */
export interface Input {
  readonly path: string;
  readonly recursive: boolean;
}

/** What an input is in a component: a file, or a folder by its real path and the names in it. */
export type FoundInput =
  | { readonly kind: 'file'; readonly file: TreeFile }
  | {
      readonly kind: 'folder';
      readonly names: readonly string[];
      readonly file: (name: string) => TreeFile | undefined;
    };

/** The file or folder at an input's path, through the component's own links; undefined where there is none. */
export function findInput(source: FileTree, path: string): FoundInput | undefined {
  const root = resolvePath(source, path);
  if (root === undefined) return undefined;
  const file = source.get(root);
  if (file !== undefined) return { kind: 'file', file };
  const names = [...subtree(source, root).keys()];
  if (names.length === 0) return undefined;
  const prefix = root === '' ? '' : `${root}/`;
  return { kind: 'folder', names, file: (name) => readFile(source, `${prefix}${name}`) };
}

/** The failure of an input that is not there. */
export function missingInput(path: string): Failure {
  return {
    reason: 'bad-payload',
    detail: `The payload input ${path} does not exist in the component.`,
    hint: "Check that the ref has it, or mend the component's `payload.inputs` in product.yaml.",
    about: { input: path },
  };
}
