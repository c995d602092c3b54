import type { BuildChange, BuildEvent } from '../../builds/event.ts';
import { eventId, isRepeated } from '../../builds/event.ts';
import type { Failure } from '../../builds/failure.ts';
import { ChangeNumbers } from '../../builds/number-changes.ts';
import { plannedSteps, reportAlone } from '../../builds/planned-steps.ts';
import type { DatedChange } from '../../builds/recall-build.ts';
import type { Plan } from '../../plan/plan.ts';
import type { DatedMessage } from '../task-output.ts';

/** What the tasks of a run told. */
export interface RunTold {
  /** Of all tasks, those of `prepare` first. */
  readonly messages: readonly DatedMessage[];
  /** Undefined where `prepare` has made none, or nobody has read it yet. */
  readonly plan: Pick<Plan, 'steps' | 'patches'> | undefined;
}

/**
 * What happened in an attempt, from its start on, as far as its tasks told: the changes that a build's status is a fold over. A step has one
 * verdict, and begins once: of two containers that tell of it the first counts.
 */
export function changesOf({ messages, plan }: RunTold): readonly DatedChange[] {
  const changes: DatedChange[] = [];
  const seen = new Set<string>();
  for (const message of messages) {
    for (const change of asChanges(message, plan)) {
      const what = `${change.kind} ${'step' in change ? change.step : ''}`;
      if (!isRepeated(change) && seen.has(what)) continue;
      seen.add(what);
      changes.push({ at: message.at, change });
    }
  }
  return changes;
}

function asChanges({ at: _, ...message }: DatedMessage, plan: RunTold['plan']): BuildChange[] {
  if (message.kind !== 'step-finished') {
    const change: BuildChange[] = [message];
    const isEnd = message.kind === 'step-failed' && message.step === 'prepare';
    return isEnd ? [...change, { kind: 'planned', steps: [reportAlone], patches: [] }] : change;
  }
  const { kind, step, output } = message;
  const finished: BuildChange = { kind, step, output };
  if (step !== 'prepare') return [finished];
  // Without its plan nobody can say what follows: it is not finished yet for whoever looks.
  if (plan === undefined) return [];
  return [{ kind: 'planned', steps: plannedSteps(plan.steps), patches: plan.patches }, finished];
}

/**
 * What else there is to say when no task runs any more: a step without a verdict was lost with its pod, what waits for it never
 * ran, and the build has a verdict. `lost`: why pods ended that told nothing, where that is known.
 */
export function concludingChanges(
  { messages, plan }: RunTold,
  at: string,
  lost: (step: string) => Failure = lostPod,
): readonly DatedChange[] {
  const verdicts = new Set(
    messages.flatMap(({ kind, step }) =>
      kind === 'step-finished' || kind === 'step-failed' ? [step] : [],
    ),
  );
  const failures = messages.flatMap((message) =>
    message.kind === 'step-failed' && message.step !== 'report' ? message.failures : [],
  );
  const steps = plan?.steps.filter(({ kind }) => kind !== 'report') ?? [];
  const open = steps.filter(({ id }) => !verdicts.has(id));
  const begun = new Set(messages.map(({ step }) => step));
  const ready = open.find(({ id }) => begun.has(id)) ?? open.find(isReady(verdicts));
  const crashed =
    failures.length > 0 ? [] : plan === undefined ? ['prepare'] : ready ? [ready.id] : [];
  const changes: BuildChange[] = [
    ...(crashed.includes('prepare')
      ? [{ kind: 'planned', steps: [reportAlone], patches: [] } as const]
      : []),
    ...crashed.map((step) => ({ kind: 'step-failed', step, failures: [lost(step)] }) as const),
    ...open
      .filter(({ id }) => !crashed.includes(id))
      .map(({ id }) => ({ kind: 'step-skipped', step: id }) as const),
    failures.length + crashed.length === 0
      ? { kind: 'succeeded' }
      : { kind: 'failed', failures: [...failures, ...crashed.map(lost)] },
  ];
  return changes.map((change) => ({ at, change }));
}

function isReady(verdicts: ReadonlySet<string>) {
  return ({ needs }: Plan['steps'][number]) => needs.every((need) => verdicts.has(need));
}

function lostPod(step: string): Failure {
  return {
    reason: 'step-crashed',
    detail: `The pod of the step ${step} ended before it had a result.`,
    hint: 'It was deleted or evicted, or took more memory than it may: the events of the namespace tell (`kubectl get events`). Ask for the build again: what was finished is reused.',
  };
}

/** Changes as events, with ids that anybody computes alike. */
export function numberEvents(
  attempt: number,
  changes: readonly DatedChange[],
): readonly BuildEvent[] {
  const numbers = new ChangeNumbers();
  return changes.flatMap(({ at, change: told }) => {
    const numbered = numbers.next(told);
    if (numbered === undefined) return [];
    const { change, sequence } = numbered;
    return [{ ...change, id: eventId(attempt, change, sequence), at, attempt }];
  });
}
