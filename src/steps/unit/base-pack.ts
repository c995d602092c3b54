import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { FailureError } from '../../builds/failure.ts';
import { canonicalHash } from '../../plan/canonical-hash.ts';
import type { Plan } from '../../plan/plan.ts';
import { artifactRepository, type Registry } from '../step.ts';
import type { TaskPlan } from '../task-plan.ts';
import { basesOf, type PlatformBase } from './unit-reads.ts';

/**
 * Where base images are kept together as a builder's image store has them: to unpack that is several times quicker than to pull them,
 * which every pod would do anew. What other versions of the tools keep has other names.
 */
export function basePackReference(bases: readonly PlatformBase[], plan: Plan): string {
  const id = canonicalHash({ bases, tools: plan.madeBy }).slice(0, 32);
  return `${artifactRepository(plan)}:bases-${id}`;
}

/** The pack that a unit makes where there is none yet: of the units that read the same base images, the first does. */
export function ownBasePack(unit: string, { plan, units }: TaskPlan): string | undefined {
  const packOf = (ids: readonly string[]) => {
    const bases = basesOf(
      plan.steps.filter(({ id }) => ids.includes(id)),
      plan,
    );
    return bases.length === 0 ? undefined : basePackReference(bases, plan);
  };
  const wanted = packOf(units[unit] ?? []);
  const first = Object.entries(units).find(([, ids]) => packOf(ids) === wanted);
  return first?.[0] === unit ? wanted : undefined;
}

/** Pushes a pack that `fetch` made, before any code of a ref ran. What cannot be kept harms nobody. */
export async function pushBasePack(
  reference: string,
  fetched: Pick<Registry, 'manifest' | 'pullLayout'>,
  { registry, workdir, log }: { registry: Registry; workdir: string; log: (text: string) => void },
): Promise<void> {
  if ((await fetched.manifest(reference)) === undefined) return;
  try {
    const layout = join(await mkdtemp(join(workdir, 'bases-')), 'layout');
    await fetched.pullLayout(reference, layout);
    await registry.pushLayout(layout, reference);
    log(`kept the base images as ${reference}`);
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    log(`warning: the base images are not kept: ${error.failures[0].detail}`);
  }
}
