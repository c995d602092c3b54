import type { Plan } from '../plan/plan.ts';
import type { Registry } from '../steps/step.ts';

/** What the registry has for a plan; a rebuild uses no hit. */
export async function lookUp(
  plan: Plan,
  registry: Pick<Registry, 'manifest'>,
  { rebuild }: { readonly rebuild: boolean },
): Promise<{ readonly held: readonly string[]; readonly seeded: readonly string[] }> {
  const { lookUpHits, lookUpSeeded } = await import('../steps/prepare/look-up-hits.ts');
  const hits = rebuild ? {} : await lookUpHits(plan, registry);
  const held = Object.keys(hits).filter((id) => hits[id] === true);
  return { held, seeded: await lookUpSeeded(plan, new Set(held), registry) };
}
