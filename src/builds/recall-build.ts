import type { StepOutput, StepOutputs } from '../plan/plan.ts';
import type { Build, StepStatus } from './build.ts';
import type { BuildChange, PlannedStep } from './event.ts';
import type { Failure } from './failure.ts';

/** A change, and when it happened. */
export interface DatedChange {
  readonly at: string;
  readonly change: BuildChange;
}

/**
 * The changes of the last attempt of a build that is over, in order, so that their fold is the build again: what a history is made of
 * anew. `build` is as its record holds it, in which only the report itself is not over yet: `report` is what that made.
 */
export function recallBuild(
  build: Build,
  outputs: StepOutputs,
  report: StepOutput,
): readonly DatedChange[] {
  const { createdAt, startedAt, finishedAt, steps, patches } = build;
  const end = finishedAt ?? createdAt;
  const [prepare, ...planned] = steps;
  const preparedAt = prepare?.finishedAt ?? end;
  const changes: DatedChange[] = [
    { at: createdAt, change: { kind: 'queued' } },
    { at: startedAt ?? createdAt, change: { kind: 'started' } },
    ...(prepare ? recallStep(prepare, outputs, end) : []),
    { at: preparedAt, change: { kind: 'planned', steps: planned.map(plannedStep), patches } },
    ...planned
      .flatMap((step) =>
        step.kind === 'report' ? recallReport(step, report, end) : recallStep(step, outputs, end),
      )
      .toSorted((one, other) => Date.parse(one.at) - Date.parse(other.at)),
  ];
  return [...changes, { at: end, change: verdict(build) }];
}

function plannedStep({ id, kind, needs, weight }: StepStatus): PlannedStep {
  return { id, kind, needs, weight };
}

function recallStep(status: StepStatus, outputs: StepOutputs, end: string): DatedChange[] {
  const { id: step, state, startedAt, finishedAt = end, failures = [] } = status;
  const begun: DatedChange[] =
    startedAt === undefined ? [] : [{ at: startedAt, change: { kind: 'step-started', step } }];
  const over = (change: BuildChange) => [...begun, { at: finishedAt, change }];
  switch (state) {
    case 'succeeded':
    case 'reused':
      return over({ kind: 'step-finished', step, output: outputs[step] ?? null });
    case 'failed':
      return over({ kind: 'step-failed', step, failures });
    case 'skipped':
      return over({ kind: 'step-skipped', step });
    default:
      return begun;
  }
}

function recallReport({ id: step }: StepStatus, output: StepOutput, at: string): DatedChange[] {
  return [
    { at, change: { kind: 'step-started', step } },
    { at, change: { kind: 'step-finished', step, output } },
  ];
}

function verdict({ state, failure }: Build): BuildChange {
  if (state === 'succeeded' || state === 'cancelled') return { kind: state };
  return { kind: 'failed', failures: failure === null ? [] : [withoutPlace(failure)] };
}

function withoutPlace({ owner: _, step: __, ...failure }: NonNullable<Build['failure']>): Failure {
  return failure;
}
