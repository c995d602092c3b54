import type { Failure } from '../../builds/failure.ts';
import { reportAlone } from '../../builds/planned-steps.ts';
import { type AttemptView, type RunPlan, stepsOf, type TaskView } from './attempt-view.ts';
import { isOutOfMemory, judgeTask } from './judge-task.ts';
import { type Dated, later } from './teller.ts';

/** What a task tells, and, where it is over, what has to be said in its place. */
export function changesOf(view: TaskView, attempt: AttemptView): readonly Dated[] {
  const { task, messages, final } = view;
  const { plan, run } = attempt;
  const dated = messages.flatMap((message) => readMessage(message, view, plan));
  if (!final) return dated;
  const at = later(task.completedAt ?? task.createdAt, dated.at(-1)?.at);
  if (task.condition?.status !== 'False') return [...dated, ...untold(view, attempt, dated, at)];
  const planned: Dated[] =
    task.task === 'prepare' && plan === undefined
      ? [{ at, change: { kind: 'planned', steps: [reportAlone], patches: [] } }]
      : [];
  const cancelled = run.asked !== undefined && /Cancel/.test(task.condition.reason);
  const silent = !cancelled && !dated.some(({ change }) => change.kind === 'step-failed');
  return [...dated, ...(silent ? lost(view, plan, dated, at) : []), ...planned];
}

/** The task succeeded, and what it told of some steps is gone from the registry. */
function untold(
  { task }: TaskView,
  { plan, tasks }: AttemptView,
  dated: readonly Dated[],
  at: string,
): readonly Dated[] {
  const over = stepsOver(dated);
  // Who told of others would have told of the report, too, if it was theirs.
  const apart = dated.length > 0 || tasks.some((one) => one.task.task === 'report');
  return stepsOf(task, plan)
    .filter(
      (step) => !over.has(step) && !(apart && task.task === 'assemble' && step === reportAlone.id),
    )
    .flatMap((step): Dated[] => [
      { at: task.startedAt ?? at, change: { kind: 'step-started', step } },
      ...(step === 'prepare' ? plannedChange(plan, at) : []),
      { at, change: { kind: 'step-finished', step, output: null } },
    ]);
}

/** The task failed, and no step said so: it was the one that had begun, else the one whose turn it was. */
function lost(
  view: TaskView,
  plan: RunPlan | undefined,
  dated: readonly Dated[],
  at: string,
): readonly Dated[] {
  const { task } = view;
  const steps = stepsOf(task, plan);
  const [over, started] = [stepsOver(dated), startedOf(dated)];
  const open = steps.filter((step) => !over.has(step));
  const step = open.find((one) => started.has(one)) ?? open[0] ?? steps[0];
  if (step === undefined) return [];
  const begun: Dated[] = started.has(step)
    ? []
    : [{ at: task.startedAt ?? at, change: { kind: 'step-started', step } }];
  return [...begun, { at, change: { kind: 'step-failed', step, failures: whyLost(view, step) } }];
}

function whyLost(view: TaskView, step: string): readonly Failure[] {
  return view.failures.length > 0 ? view.failures : [judgeTask(view, step)];
}

function readMessage(
  message: TaskView['messages'][number],
  view: TaskView,
  plan: RunPlan | undefined,
): readonly Dated[] {
  const { task, final } = view;
  const { at, ...told } = message;
  switch (told.kind) {
    case 'step-failed':
      // Its task may be begun again: then this was not the last word. What succeeded did not fail, whoever says so.
      if (!final || task.condition?.status === 'True') return [];
      return [{ at, change: isOutOfMemory(view) ? outOfMemory(told, view) : told }];
    case 'step-finished': {
      const { step, output } = told;
      const change = { kind: 'step-finished', step, output } as const;
      if (task.task !== 'prepare') return [{ at, change }];
      // People hear of the steps that follow before they hear that they can follow.
      return plan === undefined && !final ? [] : [...plannedChange(plan, at), { at, change }];
    }
    default:
      return [{ at, change: told }];
  }
}

/** A compiler that was ended for the memory it took does not know why: the cluster does. */
function outOfMemory<Told extends { readonly step: string; readonly failures: readonly Failure[] }>(
  told: Told,
  view: TaskView,
): Told {
  return { ...told, failures: [judgeTask(view, told.step), ...told.failures] };
}

function plannedChange(plan: RunPlan | undefined, at: string): Dated[] {
  if (plan === undefined) return [];
  const { steps, patches } = plan;
  return [{ at, change: { kind: 'planned', steps, patches } }];
}

function stepsOver(dated: readonly Dated[]): ReadonlySet<string> {
  return new Set(
    dated.flatMap(({ change }) =>
      change.kind === 'step-finished' || change.kind === 'step-failed' ? [change.step] : [],
    ),
  );
}

function startedOf(dated: readonly Dated[]): ReadonlySet<string> {
  return new Set(
    dated.flatMap(({ change }) => (change.kind === 'step-started' ? [change.step] : [])),
  );
}
