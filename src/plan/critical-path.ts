import type { Step } from './plan.ts';

type Weighted = Pick<Step, 'id' | 'needs' | 'weight'>;

/**
 * Ids of the steps that can start now: not done, and all they need is. The one with the longest
 * way to the end of the build comes first; equals stay in the order of the plan.
 */
export function orderReady(steps: readonly Weighted[], done: ReadonlySet<string>): string[] {
  const ways = waysToEnd(steps);
  return steps
    .filter((step) => !done.has(step.id) && step.needs.every((need) => done.has(need)))
    .sort((one, other) => (ways.get(other.id) ?? 0) - (ways.get(one.id) ?? 0))
    .map((step) => step.id);
}

/** Seconds from the start of each step to the end of the build, if nothing has to wait for a processor. */
function waysToEnd(steps: readonly Weighted[]): ReadonlyMap<string, number> {
  const users = new Map<string, Weighted[]>();
  for (const step of steps) {
    for (const need of step.needs) users.set(need, [...(users.get(need) ?? []), step]);
  }
  const ways = new Map<string, number>();
  const measure = (step: Weighted): number => {
    const known = ways.get(step.id);
    if (known !== undefined) return known;
    // Set first: a plan with a circle (a bug of ours) must not hang here.
    ways.set(step.id, step.weight);
    const way = step.weight + Math.max(0, ...(users.get(step.id) ?? []).map(measure));
    ways.set(step.id, way);
    return way;
  };
  for (const step of steps) measure(step);
  return ways;
}
