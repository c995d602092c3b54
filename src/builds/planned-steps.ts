import type { Step } from '../plan/plan.ts';
import type { PlannedStep } from './event.ts';

/** The steps of a plan as people see them. */
export function plannedSteps(steps: readonly Step[]): readonly PlannedStep[] {
  return steps.map(({ id, kind, needs, weight }) => ({
    ...{ id, kind, weight },
    needs: needs.length > 0 ? needs : ['prepare'],
  }));
}

/** What follows a `prepare` that failed. */
export const reportAlone: PlannedStep = {
  id: 'report',
  kind: 'report',
  needs: ['prepare'],
  weight: 2,
};
