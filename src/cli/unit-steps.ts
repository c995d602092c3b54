import { join } from 'node:path';
import type { Step } from '../plan/plan.ts';
import type { TaskPlan } from '../steps/task-plan.ts';
import type { UnitFolders } from '../steps/unit/unit-folder.ts';

/** The steps of a unit, in their order. */
export function stepsOf({ plan, units }: TaskPlan, unit: string): readonly [Step, ...Step[]] {
  const [first, ...rest] = (units[unit] ?? []).map((id) => stepWith(id, plan.steps));
  if (first === undefined) throw new Error(`the plan has no unit ${unit}`);
  return [first, ...rest];
}

/** The step with an id. */
export function stepWith(id: string, steps: readonly Step[]): Step {
  const found = steps.find((step) => step.id === id);
  if (found === undefined) throw new Error(`the plan has no step ${id}`);
  return found;
}

/** Written by `fetch` when it has brought everything: without it there is nothing to make. */
export function planFile(folders: UnitFolders): string {
  return join(folders.in, 'plan.json');
}
