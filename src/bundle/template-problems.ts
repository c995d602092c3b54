import type { Failure } from '../builds/failure.ts';
import { type FileTree, subtree } from '../plan/file-tree.ts';
import type { ImageName, Tag } from '../plan/names.ts';
import type { Locate } from '../product/place.ts';
import type { Product } from '../product/product.ts';
import { assembleBundle, type BundleInputs, releasedProblems } from './assemble-bundle.ts';
import type { PlacedImage } from './place-images.ts';

/** For which build the bundle is looked at. */
export interface BundleUse {
  readonly release: string;
  /** The operator's own generator will make the CSV, so that only the rest is looked at. */
  readonly generated: boolean;
  /** Tributary places the images in the CSV; else a Makefile does. */
  readonly placed: boolean;
}

/**
 * Everything for which the bundle of a release could not be assembled, whatever is built: found by assembling it
 * with made-up digests.
 */
export function templateProblems(
  files: FileTree,
  product: Product,
  { release, generated, placed }: BundleUse,
  locate: Locate,
): readonly Failure[] {
  const { version, channels } = product.releases[release] ?? { version: '', channels: [] };
  const inputs: BundleInputs = {
    product: subtree(files, product.bundle.from),
    folder: product.bundle.from,
    generated: null,
    edits: {
      package: product.bundle.package,
      tag: 'any-000000' as Tag,
      operatorVersion: `${version}-t000000`,
      images: placed ? madeUp(product) : null,
      external: product.external,
    },
    ...{ release, baseVersion: version, channels, locate },
  };
  if (generated) return releasedProblems(inputs);
  const outcome = assembleBundle(inputs);
  return outcome.ok ? [] : outcome.failures;
}

function madeUp(product: Product): Record<ImageName, PlacedImage> {
  const digest = `sha256:${'0'.repeat(64)}`;
  const entries = Object.entries(product.images).map(
    ([name, { csv }]) => [name, { csv, reference: `registry.invalid/${name}@${digest}` }] as const,
  );
  return Object.fromEntries(entries);
}
