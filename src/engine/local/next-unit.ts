import { orderReady } from '../../plan/critical-path.ts';
import type { Step } from '../../plan/plan.ts';

/** How far a build is. */
export interface BuildProgress {
  readonly done: ReadonlySet<string>;
  /** Groups of which a process runs. */
  readonly running: ReadonlySet<string>;
}

/**
 * The steps to start next, in one process: those of the first group on the critical path that can
 * run one after the other now, or none. `report` is not among them: it runs when all else is over.
 */
export function nextUnit(steps: readonly Step[], progress: BuildProgress): string[] {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const first = orderReady(steps, progress.done)
    .map((id) => byId.get(id))
    .find((step) => step && step.kind !== 'report' && !progress.running.has(step.group));
  if (first === undefined) return [];
  const unit = new Set<string>();
  for (const step of steps) {
    if (step.group !== first.group || step.kind === 'report' || progress.done.has(step.id))
      continue;
    // What waits for a step of another group starts later, in a process of its own: no group can block another.
    if (step.needs.every((need) => progress.done.has(need) || unit.has(need))) unit.add(step.id);
  }
  return [...unit];
}
