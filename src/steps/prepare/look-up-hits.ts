import { compileCacheOf, possibleSeeds } from '../../plan/compile-cache.ts';
import type { Plan, StepOf } from '../../plan/plan.ts';
import { keyReference } from '../key-reference.ts';
import type { Registry } from '../step.ts';

/** Step → whether its output is in the registry already; null where its key depends on earlier steps. */
export async function lookUpHits(
  plan: Plan,
  registry: Pick<Registry, 'manifest'>,
): Promise<Readonly<Record<string, boolean | null>>> {
  const entries = plan.steps.map(async (step) => {
    const reference = keyReference(step, plan);
    const found = reference === undefined ? null : await registry.manifest(reference);
    return [step.id, found === null ? null : found !== undefined] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/**
 * Groups whose images need not wait for each other: what they have in common lies in a seed, and what each compiles besides is
 * thrown away. (What becomes part of a seed is compiled once.)
 */
export async function lookUpSeeded(
  plan: Plan,
  held: ReadonlySet<string>,
  registry: Pick<Registry, 'manifest'>,
): Promise<string[]> {
  const images = plan.steps.filter((step) => step.kind === 'image' && !held.has(step.id));
  const groups = new Map(images.map((step) => [step.group, step as StepOf<'image'>]));
  const seeded = [...groups].map(async ([group, step]) => {
    if (compileCacheOf(step, plan)?.own !== false) return [];
    const seeds = possibleSeeds(step, plan).map((reference) => registry.manifest(reference));
    return (await Promise.all(seeds)).some((seed) => seed !== undefined) ? [group] : [];
  });
  return (await Promise.all(seeded)).flat();
}
