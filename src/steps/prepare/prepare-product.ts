import { demand, FailureError } from '../../builds/failure.ts';
import type { FileTree } from '../../plan/file-tree.ts';
import type { Lock } from '../../plan/lock.ts';
import type { ComponentName } from '../../plan/names.ts';
import type { Product } from '../../product/product.ts';
import { type Distgit, readDistgit } from '../../product/read-distgit.ts';
import {
  parseUpstreamSources,
  sourcesOfComponents,
  type UpstreamSource,
  upstreamSourcesPath,
} from '../../product/upstream-sources.ts';
import { parseRepository } from '../../request/ref.ts';
import { type CombinedSource, combineSource } from '../../resolve/combine-source.ts';
import type { Mirror } from '../../resolve/git-interface.ts';
import type { PrepareContext } from './prepare-context.ts';

/** The productization repository of a build, read whole. */
export interface PreparedProduct extends CombinedSource {
  readonly mirror: Mirror;
  readonly files: FileTree;
  readonly distgit: Distgit;
  readonly upstreamSources: string;
  readonly pinned: Readonly<Record<ComponentName, UpstreamSource>>;
}

/** Fetches and reads the productization repository at the lock's commit. */
export async function prepareProduct(
  lock: Lock,
  product: Product,
  { mirrors, progress }: PrepareContext,
): Promise<PreparedProduct> {
  const { url } = demand(parseRepository(product.repository));
  progress(`fetching the productization repository ${url}`);
  const mirror = await mirrors.mirror(url);
  const title = `the product ${product.product}`;
  const combined = await combineSource(lock.product.source, title, mirror);
  const { files } = await mirror.files(combined.commit);
  const upstreamSources = files.get(upstreamSourcesPath)?.content.toString();
  if (upstreamSources === undefined) {
    throw new FailureError({
      reason: 'bad-product',
      detail: `${url} has no ${upstreamSourcesPath} at ${combined.commit.slice(0, 12)}.`,
      hint: 'Check `repository` and the branch of the release in product.yaml.',
    });
  }
  const pinned = demand(
    sourcesOfComponents(demand(parseUpstreamSources(upstreamSources)), product),
  );
  const distgit = demand(readDistgit(files, product));
  return { ...combined, mirror, files, distgit, upstreamSources, pinned };
}
