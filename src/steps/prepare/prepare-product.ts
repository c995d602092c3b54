import { demand, FailureError } from '../../builds/failure.ts';
import type { Lock } from '../../plan/lock.ts';
import type { ComponentName } from '../../plan/names.ts';
import type { Product } from '../../product/product.ts';
import { parseRepository } from '../../request/ref.ts';
import { type CombinedSource, combineSource } from '../../resolve/combine-source.ts';
import type { Mirror } from '../../resolve/git-interface.ts';
import { productProblems } from '../../resolve/product-problems.ts';
import { type ProductFiles, readProductFiles } from '../product-files.ts';
import type { PrepareContext } from './prepare-context.ts';

/** The productization repository of a build, fetched and read. */
export interface PreparedProduct extends CombinedSource, ProductFiles {
  readonly mirror: Mirror;
}

/** Fetches and reads the productization repository at the lock's commit. */
export async function prepareProduct(
  lock: Lock,
  product: Product,
  { mirrors, progress, locate }: PrepareContext,
): Promise<PreparedProduct> {
  const { url } = demand(parseRepository(product.repository));
  progress(`fetching the productization repository ${url}`);
  const mirror = await mirrors.mirror(url);
  const title = `the product ${product.product}`;
  const combined = await combineSource(lock.product.source, title, mirror);
  const { files } = await mirror.files(combined.commit);
  const where = `${url} at ${combined.commit.slice(0, 12)}`;
  const components = (Object.keys(lock.components) as ComponentName[]).filter(
    (component) => lock.components[component]?.kind !== 'base',
  );
  const asked = { release: lock.release, components, where };
  const [first, ...rest] = productProblems(files, product, asked, locate);
  if (first !== undefined) throw new FailureError(first, ...rest);
  return { ...combined, mirror, ...readProductFiles(files, product, where) };
}
