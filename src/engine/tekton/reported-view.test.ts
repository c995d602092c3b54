import { describe, expect, test } from 'vitest';
import { smallBuild } from '../../../test/support/small-build.ts';
import { foldBuild } from '../../builds/fold.ts';
import type { StepMessage } from '../../steps/step-message.ts';
import type { ReportedBuild } from '../../steps/task-input.ts';
import type { TaskOutcome } from '../../steps/task-outcome.ts';
import { attemptEvents, recordedEvents } from './attempt-events.ts';
import { viewReported } from './reported-view.ts';

await using small = await smallBuild();
const { plan, outputs } = small;
const [image, other] = ['image/controller', 'image/operator'];
const taskPlan = { plan, held: [], units: { '000': [image], '001': [other] } };
const build = {
  ...{ ...plan, pipelinerun: 'build-1', read: {}, requester: 'me', attempt: 1 },
  ...{ createdAt: at(0), startedAt: at(1) },
} as unknown as ReportedBuild;
const failure = { reason: 'image-build-failed', detail: 'It fails.', hint: 'Mend it.' } as const;

function at(second: number): string {
  return new Date(1_790_000_000_000 + second * 1000).toISOString();
}

/** What a task told, one second after the other. */
function told(from: number, ...messages: readonly StepMessage[]): TaskOutcome {
  const dated = messages.map((message, second) => ({ ...message, at: at(from + second) }));
  return { messages: dated, logs: new Map() };
}

function ends(...ids: readonly string[]): StepMessage[] {
  return ids.flatMap((step) => [
    { kind: 'step-started', step },
    { kind: 'step-finished', step, output: outputs[step] ?? null },
  ]);
}

const failed: StepMessage = { kind: 'step-failed', step: image, failures: [failure] };
const assembled = plan.steps
  .map(({ id }) => id)
  .filter((id) => ![image, other, 'report'].includes(id));
const prepared = told(2, ...ends('prepare'));

function viewOf(
  tasks: Readonly<Record<string, TaskOutcome>>,
  reasons: Readonly<Record<string, string>>,
  made: typeof taskPlan | 'none' = taskPlan,
) {
  const outcomes = new Map(Object.entries(tasks));
  return viewReported({
    build,
    plan: made === 'none' ? undefined : made,
    reasons,
    outcomes,
    now: at(100),
  });
}

function recorded(...given: Parameters<typeof viewOf>) {
  const status = foldBuild(build, recordedEvents(viewOf(...given)));
  return { ...status, steps: Object.fromEntries(status.steps.map(({ id, state }) => [id, state])) };
}

describe('the record of a run', () => {
  test('in which everything was made says that it succeeded, and that the report is not over', () => {
    const whole = recorded(
      {
        prepare: prepared,
        'images-000': told(5, ...ends(image)),
        'images-001': told(5, ...ends(other)),
        assemble: told(10, ...ends(...assembled)),
      },
      { prepare: 'Succeeded', images: 'Succeeded', assemble: 'Succeeded' },
    );
    expect(whole).toMatchObject({
      ...{ state: 'succeeded', startedAt: at(1), finishedAt: at(100) },
      steps: { prepare: 'succeeded', [image]: 'succeeded', report: 'waiting' },
    });
  });

  test('in which a step failed has its failure; what was made beside it is made, and nothing after it ran', () => {
    const tasks = {
      prepare: prepared,
      'images-000': told(5, { kind: 'step-started', step: image }, failed),
      'images-001': told(5, ...ends(other)),
    };
    expect(recorded(tasks, { prepare: 'Succeeded', images: 'Failed', assemble: '' })).toMatchObject(
      {
        ...{ state: 'failed', failure: { ...failure, step: image } },
        steps: { [other]: 'succeeded', bundle: 'skipped', report: 'waiting' },
      },
    );
  });

  test('whose prepare failed, or was lost, has the report alone after it', () => {
    const wrong = { ...failed, step: 'prepare' };
    const reasons = { prepare: 'Failed' };
    expect(recorded({ prepare: told(2, wrong) }, reasons, 'none')).toMatchObject({
      ...{ state: 'failed', failure: { reason: 'image-build-failed' } },
      steps: { prepare: 'failed', report: 'waiting' },
    });
    expect(recorded({}, reasons, 'none')).toMatchObject({
      ...{ state: 'failed', failure: { reason: 'step-crashed', step: 'prepare' } },
      steps: { prepare: 'failed', report: 'waiting' },
    });
  });

  test.for([
    ['took too long', 'TaskRunTimeout', undefined, 'step-timeout'],
    ['was ended for its memory', 'StepOOM', undefined, 'step-crashed'],
    [
      'was ended for its memory, which its compiler took for a mistake',
      'StepOOM',
      failed,
      'step-crashed',
    ],
    ['was lost', 'PodEvicted', undefined, 'step-crashed'],
    ['failed', 'Failed', failed, 'image-build-failed'],
  ] as const)('whose step %s says of it what everybody says', ([, reason, said, expected]) => {
    const tasks = {
      prepare: prepared,
      ...(said && { 'images-000': told(5, { kind: 'step-started', step: image }, said) }),
      'images-001': told(5, ...ends(other)),
    };
    const reasons = { prepare: 'Succeeded', images: reason, assemble: '' };
    const of = recorded(tasks, reasons);
    expect(of).toMatchObject({ state: 'failed', failure: { reason: expected, step: image } });
    const live = foldBuild(build, attemptEvents(viewOf(tasks, reasons)));
    expect([live.state, live.failure]).toEqual([of.state, of.failure]);
  });
});
