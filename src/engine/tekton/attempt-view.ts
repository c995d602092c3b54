import type { PlannedStep } from '../../builds/event.ts';
import type { Failure } from '../../builds/failure.ts';
import type { PatchReport } from '../../plan/plan.ts';
import type { Units } from '../../plan/plan-units.ts';
import { taskName } from '../../steps/task-outcome.ts';
import type { DatedMessage } from '../../steps/task-output.ts';
import type { ClusterRun, ClusterTask } from './cluster.ts';

/** What is known of one attempt of a build: its run, the tasks of that, and what their steps told. */
export interface AttemptView {
  readonly attempt: number;
  /** When it was asked for. */
  readonly queuedAt: string;
  readonly run: ClusterRun;
  /** Undefined as long as `prepare` has not made it. */
  readonly plan: RunPlan | undefined;
  readonly tasks: readonly TaskView[];
  /** Whether these are all tasks that the run has by now: run and tasks become known by different ways. */
  readonly complete: boolean;
}

/** The plan of a run, as far as its status needs it. */
export interface RunPlan {
  readonly steps: readonly PlannedStep[];
  readonly patches: readonly PatchReport[];
  /** Which pod makes which steps. */
  readonly units: Units;
}

/** What is known of a task of a run. */
export interface TaskView {
  readonly task: ClusterTask;
  /** Everything that its steps told, in order, as far as it is known. */
  readonly messages: readonly DatedMessage[];
  /** Nothing more comes: it is over, and its outcome was looked for. */
  readonly final: boolean;
  /** What its pod says of its own end. */
  readonly trouble: string | undefined;
  /** Why its containers ended, where that was before a step could say so. */
  readonly failures: readonly Failure[];
  /** The end of the log of a step, as far as it was followed. */
  lastLines(step: string): readonly string[];
}

/** Name of a task as its outcome is kept: `prepare`, `payload`, `images-000`, … */
export function taskNameOf({ task, unit }: Pick<ClusterTask, 'task' | 'unit'>): string {
  return unit === undefined ? task : taskName(unit);
}

/** The steps that a task makes, in the order of the plan. The report is the last of `assemble`, or has a task of its own where that did not come to it. */
export function stepsOf(
  { task, unit }: Pick<ClusterTask, 'task' | 'unit'>,
  plan: RunPlan | undefined,
): readonly string[] {
  if (task === 'prepare' || task === 'report') return [task];
  if (plan === undefined) return [];
  if (unit !== undefined) return plan.units[unit] ?? [];
  const elsewhere = new Set(Object.values(plan.units).flat());
  return plan.steps.map(({ id }) => id).filter((id) => !elsewhere.has(id));
}

/** Whether a task is over, with no further try. */
export function isOver({ condition }: Pick<ClusterTask | ClusterRun, 'condition'>): boolean {
  return condition !== undefined && condition.status !== 'Unknown';
}
