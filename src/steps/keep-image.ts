import type { StepOf, StepOutput } from '../plan/plan.ts';
import { demandKey, repositoryOf } from './key-reference.ts';
import { keyed, type Make } from './keyed-artifact.ts';
import type { StepContext } from './step.ts';

/** What keeping an image needs of a step. */
export type KeepContext = Pick<
  StepContext,
  'plan' | 'registry' | 'rebuild' | 'makeAlone' | 'progress' | 'log'
>;

/**
 * Makes an image of the product available: by its key if the registry has it, else as `make` does; and tags it with the
 * build's tag, unless a later step puts the payload on top.
 */
export async function keepImage(
  step: StepOf<'image'>,
  context: KeepContext,
  make: (byKey: string) => ReturnType<Make>,
): Promise<StepOutput> {
  const { plan, registry, rebuild, progress } = context;
  const { key, reference: byKey } = demandKey(step, plan);
  const repository = repositoryOf(step, plan);
  const before = rebuild ? await registry.manifest(byKey) : undefined;
  const made = await keyed(key, byKey, context, () => make(byKey));
  if (before !== undefined && before.digest !== made.digest)
    progress(`rebuilt with another digest: ${made.digest}, before ${before.digest}`);
  if (step.final) await registry.copy(`${repository}@${made.digest}`, `${repository}:${plan.tag}`);
  return { kind: 'image', ...made, image: `${plan.lock.remote.pull}/${step.image}@${made.digest}` };
}
