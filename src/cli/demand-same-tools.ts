import { FailureError } from '../builds/failure.ts';
import type { Plan } from '../plan/plan.ts';

/** Keys of the plan say what these tools make: what others make must not be found under them. */
export function demandSameTools({ madeBy }: Plan, ours: string): void {
  if (madeBy === ours) return;
  throw new FailureError({
    reason: 'tools-changed',
    detail: `The plan of this build was made by ${madeBy}; this is ${ours}.`,
    hint: 'Start the service anew after an upgrade, then ask for the build again: it is planned anew, and what is the same is used.',
  });
}
