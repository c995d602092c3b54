import { demand, type Failure } from '../../builds/failure.ts';
import { once } from '../../builds/once.ts';
import type { FileTree } from '../../plan/file-tree.ts';
import { sourceKey } from '../../plan/keys.ts';
import type { Lock } from '../../plan/lock.ts';
import type { ComponentName } from '../../plan/names.ts';
import type { Product } from '../../product/product.ts';
import { parseRepository } from '../../request/ref.ts';
import { type CombinedSource, combineSource } from '../../resolve/combine-source.ts';
import type { Mirror } from '../../resolve/git-interface.ts';
import { productProblems } from '../../resolve/product-problems.ts';
import { type ProductFiles, readProductFilesPartly } from '../product-files.ts';
import { artifactRepository, keyTag } from '../step.ts';
import type { PrepareContext } from './prepare-context.ts';
import { preparedReference, type Recalled, readKept, recall } from './recall.ts';

/** The productization repository of a build, and its files. */
export interface PreparedProduct extends CombinedSource, ProductFiles {
  /** What was found out by an earlier build; undefined where this one had to find it out. */
  readonly recalled: Recalled | undefined;
  /** Where it is kept for later ones. */
  readonly reference: string;
  /** Everything that is wrong with it; what can be read of it is there all the same. */
  readonly problems: readonly Failure[];
  /** Its mirror, which has the commit. */
  readonly mirror: () => Promise<Mirror>;
}

/** Reads the productization repository at the lock's commit: fetched, or as an earlier build kept it. */
export async function prepareProduct(
  lock: Lock,
  product: Product,
  context: PrepareContext,
): Promise<PreparedProduct> {
  const { url } = demand(parseRepository(product.repository));
  const from = lock.product.source;
  const decisive = {
    kind: 'product' as const,
    of: product.product,
    from,
    url,
    patches: [],
    images: {},
  };
  const reference = preparedReference(decisive, lock, context.madeBy);
  const make = once(async () => {
    const mirror = await context.mirrors.mirror(url);
    return {
      mirror,
      combined: await combineSource(from, `the product ${product.product}`, mirror),
    };
  });
  const kept = await recallProduct(reference, lock, context);
  if (kept === undefined) context.progress(`fetching the productization repository ${url}`);
  const found = kept ?? (await readProduct(await make()));
  const { combined, files } = found;
  const where = `${url} at ${combined.commit.slice(0, 12)}`;
  const components = (Object.keys(lock.components) as ComponentName[]).filter(
    (component) => lock.components[component]?.kind !== 'base',
  );
  const { release, strategy } = lock;
  const asked = { release, strategy, components, where };
  return {
    ...combined,
    ...readProductFilesPartly(files, product, where).value,
    // Whoever made the lock looked at it, and so did the build that kept it.
    problems: kept === undefined ? productProblems(files, product, asked, context.locate) : [],
    ...{ recalled: kept?.recalled, reference, mirror: async () => (await make()).mirror },
  };
}

interface FoundProduct {
  readonly combined: CombinedSource;
  readonly files: FileTree;
}

async function readProduct({
  mirror,
  combined,
}: {
  mirror: Mirror;
  combined: CombinedSource;
}): Promise<FoundProduct & { recalled?: Recalled }> {
  return { combined, files: (await mirror.files(combined.commit)).files };
}

async function recallProduct(
  reference: string,
  lock: Lock,
  context: PrepareContext,
): Promise<(FoundProduct & { recalled: Recalled }) | undefined> {
  const recalled = await recall(reference, context);
  if (recalled === undefined) return undefined;
  const { combined } = recalled;
  const source = `${artifactRepository({ lock })}:${keyTag(sourceKey(combined))}`;
  const artifact = await readKept(source, context);
  return artifact && { combined, files: artifact.files, recalled };
}
