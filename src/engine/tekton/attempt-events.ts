import { type BuildChange, type BuildEvent, eventId } from '../../builds/event.ts';
import type { Failure } from '../../builds/failure.ts';
import { ChangeNumbers } from '../../builds/number-changes.ts';
import { reportAlone } from '../../builds/planned-steps.ts';
import {
  type AttemptView,
  isOver,
  type RunPlan,
  stepsOf,
  type TaskView,
  taskNameOf,
} from './attempt-view.ts';
import { judgeRun, judgeTask } from './judge-task.ts';
import { cancelAnnotation } from './run-names.ts';

/** An event, and whether another that comes before it may still become known. */
export interface KnownEvent {
  readonly event: BuildEvent;
  readonly loose: boolean;
}

interface Dated {
  readonly at: string;
  readonly change: BuildChange;
}

/**
 * The events of an attempt: the same for everybody who sees the same. They are in the order of the stages (prepare, what pods make at once, assemble,
 * report), whatever the clocks of nodes say, and within a stage in that of their times. A stage is told when those before it are known to their end.
 */
export function attemptEvents(view: AttemptView): readonly KnownEvent[] {
  const { run } = view;
  const told = new Teller(view.attempt);
  told.tell({ at: view.queuedAt, change: { kind: 'queued' } });
  if (run.startedAt !== undefined) told.tell({ at: run.startedAt, change: { kind: 'started' } });
  const closed = stages.every((names) => {
    const tasks = view.tasks.filter(({ task }) => names.includes(task.task));
    for (const dated of merged(tasks, view)) told.tell(dated.dated, dated.loose);
    return tasks.every(({ final }) => final);
  });
  if (!closed || !view.complete) return told.events;
  const end = endOf(view);
  if (end === undefined) return told.events;
  if (end.cancelled) told.tellAtLast({ at: end.askedAt, change: { kind: 'cancel-requested' } });
  for (const step of told.without(view.plan, view.tasks, end.cancelled))
    told.tellAtLast({ at: end.at, change: { kind: 'step-skipped', step } });
  if (end.cancelled) {
    told.tellAtLast({ at: end.at, change: { kind: 'cancelled' } });
    return told.events;
  }
  const reports = view.tasks.filter(({ task }) => task.task === 'report');
  for (const { dated } of merged(reports, view)) told.tell(dated);
  if (!isOver(run) || !reports.every(({ final }) => final)) return told.events;
  for (const step of told.without(view.plan, view.tasks, true))
    told.tellAtLast({ at: run.completedAt ?? end.at, change: { kind: 'step-skipped', step } });
  told.tellAtLast({ at: run.completedAt ?? end.at, change: verdict(view, told.failures) });
  return told.events;
}

/** Tasks that may run at once; the report is apart. */
const stages: readonly (readonly string[])[] = [
  ['prepare'],
  ['payload', 'manifests', 'images'],
  ['assemble'],
];

/** When and how everything but the report came to its end; undefined: it has not. */
function endOf({ run, tasks }: AttemptView) {
  const report = tasks.find(({ task }) => task.task === 'report');
  if (report === undefined && !isOver(run)) return undefined;
  const at = report?.task.createdAt ?? run.completedAt ?? run.createdAt;
  const asked = /^(Cancelled|Stopped)/.test(run.asked ?? '');
  const cancelled = asked && run.condition?.status !== 'True';
  return { at, cancelled, askedAt: run.annotations[cancelAnnotation] ?? at };
}

function verdict({ run, tasks }: AttemptView, failures: readonly Failure[]): BuildChange {
  if (failures.length > 0) return { kind: 'failed', failures };
  const assembled = tasks.some(
    ({ task }) => task.task === 'assemble' && task.condition?.status === 'True',
  );
  // A record that could not be kept is no reason why a build fails.
  if (run.condition?.status === 'True' || assembled) return { kind: 'succeeded' };
  return { kind: 'failed', failures: [judgeRun(run)] };
}

interface Merged {
  readonly dated: Dated;
  readonly loose: boolean;
}

/** What the tasks of a stage tell, as one. */
function merged(tasks: readonly TaskView[], view: AttemptView): readonly Merged[] {
  const open = tasks.filter(({ final }) => !final);
  return tasks
    .flatMap((one) => {
      const loose = open.some((other) => other !== one);
      return changesOf(one, view).map((dated, index) => ({
        ...{ dated, loose, index, name: taskNameOf(one.task) },
      }));
    })
    .toSorted(
      (one, other) =>
        compare(one.dated.at, other.dated.at) ||
        compare(one.name, other.name) ||
        one.index - other.index,
    );
}

/** What a task tells, and, where it is over, what has to be said in its place. */
function changesOf(view: TaskView, attempt: AttemptView): readonly Dated[] {
  const { task, messages, final } = view;
  const { plan, run } = attempt;
  const dated = messages.flatMap((message) => readMessage(message, view, plan));
  if (!final) return dated;
  const at = later(task.completedAt ?? task.createdAt, dated.at(-1)?.at);
  if (task.condition?.status !== 'False') return [...dated, ...untold(view, plan, dated, at)];
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
  plan: RunPlan | undefined,
  dated: readonly Dated[],
  at: string,
): readonly Dated[] {
  const over = stepsOver(dated);
  return stepsOf(task, plan)
    .filter((step) => !over.has(step))
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
  return [
    ...begun,
    { at, change: { kind: 'step-failed', step, failures: [judgeTask(view, step)] } },
  ];
}

function readMessage(
  message: TaskView['messages'][number],
  { task, final }: TaskView,
  plan: RunPlan | undefined,
): readonly Dated[] {
  const { at, ...told } = message;
  switch (told.kind) {
    case 'step-failed':
      // Its task may be begun again: then this was not the last word.
      return final ? [{ at, change: told }] : [];
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

/** Makes events of changes: each once, with its id. */
class Teller {
  readonly events: KnownEvent[] = [];
  readonly failures: Failure[] = [];
  readonly #attempt: number;
  readonly #numbers = new ChangeNumbers();
  readonly #told = new Set<string>();
  readonly #over = new Set<string>();
  #last = '';

  constructor(attempt: number) {
    this.#attempt = attempt;
  }

  tell({ at, change: told }: Dated, loose = false): void {
    const numbered = this.#numbers.next(told);
    if (numbered === undefined) return;
    const { change, sequence } = numbered;
    const attempt = this.#attempt;
    const id = eventId(attempt, change, sequence);
    if (this.#told.has(id)) return;
    this.#told.add(id);
    this.#learn(change);
    this.#last = later(at, this.#last);
    this.events.push({ event: { ...change, id, at, attempt }, loose });
  }

  /** The same, not before anything that was told: times of the cluster are whole seconds. */
  tellAtLast({ at, change }: Dated): void {
    this.tell({ at: later(at, this.#last), change });
  }

  /** Steps that have no verdict; the report's alone where it is not `withReport`. */
  without(
    plan: RunPlan | undefined,
    tasks: readonly TaskView[],
    withReport: boolean,
  ): readonly string[] {
    const planned = plan?.steps.map(({ id }) => id) ?? [];
    const prepareFailed = tasks.some(({ task }) => task.task === 'prepare' && isOver(task));
    const report = plan === undefined && prepareFailed ? [reportAlone.id] : [];
    return ['prepare', ...planned, ...report].filter(
      (step) => !this.#over.has(step) && (withReport || step !== reportAlone.id),
    );
  }

  #learn(change: BuildChange): void {
    if (change.kind === 'step-finished' || change.kind === 'step-skipped')
      this.#over.add(change.step);
    if (change.kind !== 'step-failed') return;
    this.#over.add(change.step);
    if (change.step !== reportAlone.id) this.failures.push(...change.failures);
  }
}

function later(one: string, other: string | undefined): string {
  return other !== undefined && compare(one, other) < 0 ? other : one;
}

/** Times are all written alike. */
function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
