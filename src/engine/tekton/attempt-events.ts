import type { BuildChange, BuildEvent } from '../../builds/event.ts';
import type { Failure } from '../../builds/failure.ts';
import { type AttemptView, isOver, type TaskView, taskNameOf } from './attempt-view.ts';
import { judgeRun } from './judge-task.ts';
import { cancelAnnotation } from './run-names.ts';
import { changesOf } from './task-changes.ts';
import { compare, type Dated, later, Teller } from './teller.ts';

/**
 * The events of an attempt: the same for everybody who sees the same. They are in the order of the stages (prepare, what pods make at once, assemble,
 * report), whatever the clocks of nodes say, and within a stage in that of their times. A stage is told when those before it are known to their end.
 */
export function attemptEvents(view: AttemptView): readonly BuildEvent[] {
  const { run } = view;
  const { told, end, whole } = tellSteps(view);
  if (end === undefined) return told.events;
  if (end.cancelled) {
    told.tellAtLast({ at: end.at, change: { kind: 'cancelled' } });
    return told.events;
  }
  const reports = view.tasks.filter(({ task }) => task.task === 'report');
  for (const dated of merged(reports, view)) told.tell(dated);
  if (!isOver(run) || !reports.every(({ final }) => final)) return told.events;
  const at = run.completedAt ?? end.at;
  for (const step of told.without(view.plan, view.tasks, true))
    told.tellAtLast({ at, change: { kind: 'step-skipped', step } });
  told.tellAtLast({ at, change: verdict(view, whole, told.failures) });
  return told.events;
}

/** The events of an attempt as its record holds them: the report is not over yet, and the verdict is the one that everybody comes to. */
export function recordedEvents(view: AttemptView): readonly BuildEvent[] {
  const { told, end, whole } = tellSteps(view);
  if (end === undefined) throw new Error('a record is kept of what is over');
  told.tellAtLast({ at: end.at, change: verdict(view, whole, told.failures) });
  return told.events;
}

/**
 * Everything but the verdict, and the report where it has a task of its own; `end`: how that ended, undefined where it has not; `whole`:
 * whether every step but the report has ended.
 */
function tellSteps(view: AttemptView) {
  const { run } = view;
  const told = new Teller(view.attempt);
  told.tell({ at: view.queuedAt, change: { kind: 'queued' } });
  if (run.startedAt !== undefined) told.tell({ at: run.startedAt, change: { kind: 'started' } });
  const closed = stages.every((names) => {
    const tasks = view.tasks.filter(({ task }) => names.includes(task.task));
    for (const dated of merged(tasks, view)) told.tell(dated);
    return tasks.every(({ final }) => final);
  });
  const end = closed && view.complete ? endOf(view) : undefined;
  const left = told.without(view.plan, view.tasks, false);
  const whole = view.plan !== undefined && left.length === 0;
  if (end === undefined) return { told, end, whole };
  if (end.cancelled) told.tellAtLast({ at: end.askedAt, change: { kind: 'cancel-requested' } });
  for (const step of end.cancelled ? told.without(view.plan, view.tasks, true) : left)
    told.tellAtLast({ at: end.at, change: { kind: 'step-skipped', step } });
  return { told, end, whole };
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

function verdict({ run }: AttemptView, whole: boolean, failures: readonly Failure[]): BuildChange {
  if (failures.length > 0) return { kind: 'failed', failures };
  // A record that could not be kept is no reason why a build fails.
  if (run.condition?.status === 'True' || whole) return { kind: 'succeeded' };
  return { kind: 'failed', failures: [judgeRun(run)] };
}

/** What the tasks of a stage tell, by its times; what one task tells stays in its order, whatever times it says. */
function merged(tasks: readonly TaskView[], view: AttemptView): readonly Dated[] {
  return tasks
    .flatMap((one) => {
      let time = '';
      return changesOf(one, view).map((dated, index) => {
        time = later(dated.at, time);
        return { dated, time, index, name: taskNameOf(one.task) };
      });
    })
    .toSorted(
      (one, other) =>
        compare(one.time, other.time) || compare(one.name, other.name) || one.index - other.index,
    )
    .map(({ dated }) => dated);
}
