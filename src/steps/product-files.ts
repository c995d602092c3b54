import { demand, type PartlyRead, whole } from '../builds/failure.ts';
import type { FileTree } from '../plan/file-tree.ts';
import type { ComponentName } from '../plan/names.ts';
import type { Product } from '../product/product.ts';
import { type Distgit, readDistgit } from '../product/read-distgit.ts';
import {
  readPinned,
  type UpstreamSource,
  upstreamSourcesPath,
} from '../product/upstream-sources.ts';

/** The productization repository, read whole. */
export interface ProductFiles {
  readonly files: FileTree;
  readonly distgit: Distgit;
  readonly upstreamSources: string;
  /** What it pins, by component. */
  readonly pinned: Readonly<Record<ComponentName, UpstreamSource>>;
}

/** Reads the files of the productization repository; `where` names them (a URL and a commit). */
export function readProductFiles(files: FileTree, product: Product, where: string): ProductFiles {
  return demand(whole(readProductFilesPartly(files, product, where)));
}

/** The same of a repository that may be wrong. */
export function readProductFilesPartly(
  files: FileTree,
  product: Product,
  where: string,
): PartlyRead<ProductFiles> {
  const pinned = readPinned(files, product, where);
  const distgit = readDistgit(files, product);
  const upstreamSources = files.get(upstreamSourcesPath)?.content.toString() ?? '';
  return {
    value: { files, distgit: distgit.value, upstreamSources, pinned: pinned.value },
    problems: [...pinned.problems, ...distgit.problems],
  };
}
