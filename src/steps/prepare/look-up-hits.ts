import type { Plan, Step } from '../../plan/plan.ts';
import { artifactRepository, keyTag, type Registry } from '../step.ts';

/** Step → whether its output is in the registry already; null where its key depends on earlier steps. */
export async function lookUpHits(
  plan: Plan,
  registry: Pick<Registry, 'manifest'>,
): Promise<Readonly<Record<string, boolean | null>>> {
  const entries = plan.steps.map(async (step) => {
    const reference = referenceOf(step, plan);
    const found = reference === undefined ? null : await registry.manifest(reference);
    return [step.id, found === null ? null : found !== undefined] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

function referenceOf(step: Step, plan: Plan): string | undefined {
  if (step.key === null) return undefined;
  return step.kind === 'image'
    ? `${plan.lock.remote.push}/${step.image}:${keyTag(step.key)}`
    : `${artifactRepository(plan)}:${keyTag(step.key)}`;
}
