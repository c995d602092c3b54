import type { Plan, StepOf } from './plan.ts';

/** The compile cache that an image's build may use. */
export interface CompileCache {
  /** Folders in build containers where compilers keep what they made: absolute paths. */
  readonly folders: readonly string[];
  /** Whose it is: images of one group share it. */
  readonly group: string;
  /** Repository where its seeds are kept. */
  readonly seeds: string;
  /** Whether everything that the group runs is the product's own: only then may what it compiles become a seed. */
  readonly own: boolean;
}

/** The compile cache of an image; undefined where the product names no folders. */
export function compileCacheOf(step: StepOf<'image'>, plan: Plan): CompileCache | undefined {
  // A plan that an earlier version wrote says nothing of them.
  const folders = plan.product.cache ?? [];
  if (folders.length === 0) return undefined;
  const { group } = step;
  const seeds = `${plan.lock.remote.push}/tributary`;
  return { folders, group, seeds, own: isOwn(group, plan) };
}

/** No ref of a request may reach what other builds read: neither code, nor Dockerfile, nor patches that are left out. */
function isOwn(group: string, { steps, product, productSource, sources, lock }: Plan): boolean {
  if (productSource.requested) return false;
  const images = steps.filter((step) => step.kind === 'image' && step.group === group);
  const components = images.flatMap((step) =>
    step.kind === 'image' ? (product.images[step.image]?.of ?? []) : [],
  );
  return components.every(
    (component) => sources[component]?.requested === false && lock.patches[component] === undefined,
  );
}
