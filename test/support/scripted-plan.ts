import type { Plan, Step } from '../../src/plan/plan.ts';
import type { Units } from '../../src/plan/plan-units.ts';
import type { TaskStep } from './scripted-task.ts';

/** What a plan has besides its steps, as far as a test needs it. */
export type PlanBase = Pick<Plan, 'lock'> & Partial<Plan>;

/** Scripted steps as a plan, shared out among pods: each group of images is one. */
export function scriptedPlan(
  scripted: readonly TaskStep[],
  base: PlanBase,
): { readonly plan: Plan; readonly units: Units; readonly assemble: readonly string[] } {
  const own = scripted.filter(({ id }) => id !== 'prepare');
  const report: TaskStep = { id: 'report', needs: own.map(({ id }) => id) };
  const all = own.some(({ id }) => id === 'report') ? own : [...own, report];
  const steps = all.map(({ id, needs = [], group = id, weight = 1 }) => ({
    ...{ id, needs, group, weight, kind: id.split('/')[0], key: null },
  })) as unknown as readonly Step[];
  const ofKind = (kind: string) => steps.filter((step) => step.kind === kind);
  const groups = [...Map.groupBy(ofKind('image'), ({ group }) => group).values()];
  const ids = (some: readonly Step[]) => some.map(({ id }) => id);
  const units = Object.fromEntries(
    [
      ['payload', ids(ofKind('payload'))] as const,
      ['manifests', ids(ofKind('manifests'))] as const,
      ...groups.map((group, index) => [String(index).padStart(3, '0'), ids(group)] as const),
    ].filter(([, some]) => some.length > 0),
  );
  const elsewhere = new Set(Object.values(units).flat());
  const assemble = ids(steps).filter((id) => !elsewhere.has(id));
  return { plan: { patches: [], ...base, steps } as unknown as Plan, units, assemble };
}
