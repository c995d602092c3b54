import { orderReady } from '../../plan/critical-path.ts';
import type { Step, StepKind } from '../../plan/plan.ts';

/** How far a build is. */
export interface BuildProgress {
  readonly done: ReadonlySet<string>;
  /** Steps that processes which run were started for. */
  readonly begun: ReadonlySet<string>;
  /** Steps whose result the registry held when the plan was made: a hint, for no step takes it for granted. */
  readonly held: ReadonlySet<string>;
  /** Groups whose steps need not wait for each other: they are shared out among the slots. */
  readonly seeded: ReadonlySet<string>;
  /** Processes that may run at once. */
  readonly slots: number;
}

/** Steps that take so little time that none of them is worth a process of its own. */
const quickKinds: ReadonlySet<StepKind> = new Set([
  'operator-payload',
  'bundle',
  'index',
  'verify',
]);

/**
 * The steps to start next, in one process, or none. Led by what is first on the critical path: a step that takes no time
 * takes all others of its kind along that can run one after the other now; another one those of its group. `report` is
 * not among them: it runs when all else is over.
 */
export function nextUnit(steps: readonly Step[], progress: BuildProgress): string[] {
  const { done, begun, held, seeded } = progress;
  const isQuick = ({ id, kind }: Step) => held.has(id) || quickKinds.has(kind);
  const busy = new Set(
    steps
      .filter((step) => begun.has(step.id) && !isQuick(step) && !seeded.has(step.group))
      .map(({ group }) => group),
  );
  const byId = new Map(steps.map((step) => [step.id, step]));
  const first = orderReady(weighed(steps, progress), done)
    .flatMap((id) => byId.get(id) ?? [])
    .find((step) => isFree(step, progress) && (isQuick(step) || !busy.has(step.group)));
  if (first === undefined) return [];
  const joins = isQuick(first)
    ? isQuick
    : (step: Step) => step.group === first.group && !isQuick(step);
  const unit = new Set<string>();
  const share =
    isQuick(first) || !seeded.has(first.group) ? Infinity : shareOf(first, steps, progress);
  for (const step of steps) {
    if (unit.size >= share) break;
    if (!isFree(step, progress) || !joins(step)) continue;
    // What waits for a step of another process starts later, in a process of its own: none can block another.
    if (step.needs.every((need) => done.has(need) || unit.has(need))) unit.add(step.id);
  }
  return [...unit];
}

/** Of the steps of a unit those first that are held and wait for none of the others: they are looked up at once. */
export function lookUpFirst(
  unit: [string, ...string[]],
  steps: readonly Step[],
  { done, held }: Pick<BuildProgress, 'done' | 'held'>,
): { readonly steps: [string, ...string[]]; readonly atOnce: number } {
  const isHeld = (id: string) =>
    held.has(id) &&
    (steps.find((step) => step.id === id)?.needs ?? []).every((need) => done.has(need));
  const first = unit.filter(isHeld);
  const rest = unit.filter((id) => !isHeld(id));
  return { steps: [...first, ...rest] as [string, ...string[]], atOnce: first.length };
}

/** How many steps of a group one process takes: each process compiles anew what a ref changed. */
function shareOf({ group }: Step, steps: readonly Step[], { held, slots }: BuildProgress): number {
  const toBuild = steps.filter((step) => step.group === group && !held.has(step.id));
  return Math.ceil(toBuild.length / slots);
}

/** Steps of a group run one after the other, so that each stands for all that is left of it; what is held takes no time. */
function weighed(steps: readonly Step[], { done, held }: BuildProgress): Step[] {
  const left = new Map<string, number>();
  for (const { id, group, weight } of steps)
    if (!done.has(id) && !held.has(id)) left.set(group, (left.get(group) ?? 0) + weight);
  return steps.map((step) => ({
    ...step,
    weight: held.has(step.id) ? 0 : (left.get(step.group) ?? 0),
  }));
}

function isFree({ id, kind }: Step, { done, begun }: BuildProgress): boolean {
  return kind !== 'report' && !done.has(id) && !begun.has(id);
}
