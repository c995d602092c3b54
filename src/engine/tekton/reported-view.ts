import { plannedSteps } from '../../builds/planned-steps.ts';
import type { ReportedBuild } from '../../steps/task-input.ts';
import { type TaskOutcome, taskName } from '../../steps/task-outcome.ts';
import type { TaskPlan } from '../../steps/task-plan.ts';
import type { AttemptView, TaskView } from './attempt-view.ts';
import type { Condition } from './cluster.ts';

/** What the last task of a run knows of those before it: it asks no cluster. */
export interface Reported {
  readonly build: ReportedBuild;
  readonly plan: TaskPlan | undefined;
  /** How each kind of task ended, as Tekton says; '' where it never began. Of several, the first that failed. */
  readonly reasons: Readonly<Record<string, string>>;
  /** By the names of tasks. */
  readonly outcomes: ReadonlyMap<string, TaskOutcome>;
  readonly now: string;
}

/** A run as its record sees it, so that what became of it is decided as everywhere (attempt-events.ts). */
export function viewReported({ build, plan, reasons, outcomes, now }: Reported): AttemptView {
  const numbered = Object.keys(plan?.units ?? {});
  const all = [
    { task: 'prepare', unit: undefined },
    ...numbered.map((unit) => ({ task: /^\d/.test(unit) ? 'images' : unit, unit })),
    { task: 'assemble', unit: undefined },
  ] as const;
  const tasks = all.flatMap(({ task, unit }): TaskView[] => {
    const name = unit === undefined ? task : taskName(unit);
    const outcome = outcomes.get(name);
    const reason = reasons[task] ?? '';
    if (outcome === undefined && reason === '') return [];
    return [viewOf({ task, unit, name, outcome, reason }, build, now)];
  });
  const whole = tasks.every(({ task }) => task.condition?.status === 'True');
  const condition = whole && tasks.length === all.length ? succeeded : failed('Failed');
  return {
    attempt: build.attempt,
    queuedAt: build.createdAt,
    run: {
      ...{ name: build.pipelinerun, uid: '', resourceVersion: '', labels: {}, annotations: {} },
      ...{ createdAt: build.createdAt, startedAt: build.startedAt, completedAt: now },
      ...{ asked: undefined, tasks: [], condition },
    },
    plan: plan && {
      ...{ steps: plannedSteps(plan.plan.steps), patches: plan.plan.patches, units: plan.units },
    },
    tasks,
    complete: true,
  };
}

interface KnownTask {
  readonly task: string;
  readonly unit: string | undefined;
  readonly name: string;
  readonly outcome: TaskOutcome | undefined;
  readonly reason: string;
}

function viewOf(
  { task, unit, name, outcome, reason }: KnownTask,
  { startedAt }: ReportedBuild,
  now: string,
): TaskView {
  const messages = outcome?.messages ?? [];
  return {
    task: {
      ...{ name, task, unit, pod: undefined, createdAt: messages[0]?.at ?? startedAt },
      ...{ startedAt: undefined, completedAt: messages.at(-1)?.at ?? now, results: {} },
      ...{ steps: [], retries: 0, condition: conditionOf(messages, reason) },
    },
    messages,
    final: true,
    trouble: undefined,
    failures: [],
    lastLines: () => [],
  };
}

/** Several units have one reason: of those that told how they ended, what they told counts. */
function conditionOf(messages: TaskOutcome['messages'], reason: string): Condition {
  if (reason === 'Succeeded') return succeeded;
  const begun = messages.length > 0;
  const isFailed = messages.some(({ kind }) => kind === 'step-failed');
  return begun && !isFailed ? succeeded : failed(reason === '' ? 'Failed' : reason);
}

const succeeded: Condition = { status: 'True', reason: 'Succeeded', message: '' };

function failed(reason: string): Condition {
  return { status: 'False', reason, message: '' };
}
