import { canonicalHash } from './canonical-hash.ts';
import type { ComponentName } from './names.ts';
import type { Plan, Step, StepOf } from './plan.ts';

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
  const images = plan.steps.filter((one) => one.kind === 'image' && one.group === group);
  return { folders, group, seeds, own: isOwn(images, plan) };
}

/** What a seed is of. */
export interface SeedOf {
  readonly group: string;
  /** Digest of the base image of the stage that compiles. */
  readonly base: string;
  /** The cache's folder. */
  readonly folder: string;
  readonly platform: string;
}

/** Name of a seed: what the scratch folder of its cache is called, too. */
export function seedId({ group, base, folder, platform }: SeedOf): string {
  return canonicalHash({ group, base, folder, platform }).slice(0, 32);
}

/** Tag of a seed in the repository {@link CompileCache.seeds}. */
export function seedTag(id: string): string {
  return `seed-${id}`;
}

/** References of all seeds that an image's build might begin with. */
export function possibleSeeds(step: StepOf<'image'>, plan: Plan): string[] {
  const cache = compileCacheOf(step, plan);
  if (cache === undefined) return [];
  const { group, folders, seeds } = cache;
  return Object.values(step.bases).flatMap((reference) => {
    const base = reference.slice(reference.lastIndexOf('@') + 1);
    const { platform } = step;
    return folders.map(
      (folder) => `${seeds}:${seedTag(seedId({ group, base, folder, platform }))}`,
    );
  });
}

/**
 * Whether all that these steps run is the product's own. No ref of a request may reach what other builds read: neither code, nor
 * Dockerfile, nor patches that are left out.
 */
export function isOwn(steps: readonly Step[], plan: Plan): boolean {
  const { productSource, sources, lock } = plan;
  if (productSource.requested) return false;
  return steps
    .flatMap((step) => componentsOf(step, plan))
    .every(
      (component) =>
        sources[component]?.requested === false && lock.patches[component] === undefined,
    );
}

function componentsOf(step: Step, { product }: Plan): readonly ComponentName[] {
  if (step.kind === 'image') return product.images[step.image]?.of ?? [];
  return 'component' in step ? [step.component] : [];
}
