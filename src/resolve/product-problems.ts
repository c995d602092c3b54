import type { Failure } from '../builds/failure.ts';
import { templateProblems } from '../bundle/template-problems.ts';
import type { FileTree } from '../plan/file-tree.ts';
import type { Strategy } from '../plan/lock.ts';
import type { ComponentName } from '../plan/names.ts';
import { patchProblems } from '../product/patch-files.ts';
import type { Locate } from '../product/place.ts';
import type { Product } from '../product/product.ts';
import { readDistgit, unnamedFolders } from '../product/read-distgit.ts';
import { readPinned } from '../product/upstream-sources.ts';

/** Which build of a product is meant, as far as its description depends on it. */
export interface AskedOfProduct {
  readonly release: string;
  readonly strategy: Strategy;
  /** Components that the request names. */
  readonly components: readonly ComponentName[];
  /** The productization repository, for people: a URL and a commit. */
  readonly where: string;
}

/**
 * Everything in which product.yaml and the productization repository do not agree, or are wrong by themselves, with
 * file and line: what can be known before any component is fetched.
 */
export function productProblems(
  files: FileTree,
  product: Product,
  { release, strategy, components, where }: AskedOfProduct,
  locate: Locate,
): readonly Failure[] {
  const generated = components.some((name) => product.components[name]?.bundle !== undefined);
  const byImages = strategy === 'images';
  return [
    ...readPinned(files, product, where).problems,
    ...(byImages ? unnamedFolders(files, product, locate) : []),
    ...readDistgit(files, product, locate).problems,
    ...patchProblems(files, product, locate),
    ...templateProblems(files, product, { release, generated, placed: byImages }, locate),
  ];
}
