import { expect, test } from 'vitest';
import { smallBuild } from '../../../test/support/small-build.ts';
import type { AskedBuild } from '../../builds/build.ts';
import { foldBuild } from '../../builds/fold.ts';
import type { Plan } from '../../plan/plan.ts';
import type { StepMessage } from '../step-message.ts';
import type { DatedMessage } from '../task-output.ts';
import { changesOf, concludingChanges, numberEvents } from './changes-told.ts';

await using small = await smallBuild();
const { plan, outputs } = small;
const failure = { reason: 'image-build-failed', detail: 'It fails.', hint: 'Mend it.' } as const;

/** Messages, one second after the other. */
function told(...messages: readonly StepMessage[]): readonly DatedMessage[] {
  return messages.map((message, second) => ({
    ...message,
    at: new Date(1_790_000_000_000 + second * 1000).toISOString(),
  }));
}

function ends(ids: readonly string[]): StepMessage[] {
  return ids.flatMap((step) => [
    { kind: 'step-started', step },
    { kind: 'step-finished', step, output: outputs[step] ?? null },
  ]);
}

function statusOf(messages: readonly DatedMessage[], made: Plan | 'none' = plan) {
  const run = { messages, plan: made === 'none' ? undefined : made };
  const changes = [...changesOf(run), ...concludingChanges(run, '2026-09-21T15:00:00Z')];
  const asked = { ...plan, pipelinerun: 'build-1', read: {}, requester: 'me' } as unknown;
  const build = foldBuild(asked as AskedBuild, numberEvents(1, changes));
  return { ...build, steps: Object.fromEntries(build.steps.map(({ id, state }) => [id, state])) };
}

const all = plan.steps.filter(({ kind }) => kind !== 'report').map(({ id }) => id);

test('a run whose steps all finished has succeeded, with all that its plan says', () => {
  const build = statusOf(told(...ends(['prepare', ...all])));
  expect(build.state).toBe('succeeded');
  expect(build.steps).toMatchObject({
    prepare: 'succeeded',
    verify: 'succeeded',
    report: 'waiting',
  });
});

test('after a failure nothing else ran, and the failure is the build’s', () => {
  const messages = told(
    ...ends(['prepare']),
    { kind: 'step-started', step: 'image/controller' },
    { kind: 'step-failed', step: 'image/controller', failures: [failure] },
    ...ends(['image/operator']),
  );
  const build = statusOf(messages);
  expect(build).toMatchObject({
    state: 'failed',
    failure: { ...failure, step: 'image/controller' },
  });
  expect(build.steps).toMatchObject({ 'image/operator': 'succeeded', bundle: 'skipped' });
});

test('a step that began and told no more was lost with its pod', () => {
  const build = statusOf(
    told(...ends(['prepare']), { kind: 'step-started', step: 'image/controller' }),
  );
  expect(build).toMatchObject({
    state: 'failed',
    failure: { reason: 'step-crashed', step: 'image/controller' },
  });
  expect(build.steps).toMatchObject({ 'image/operator': 'skipped' });
});

test('a prepare that failed or was lost is followed by the report alone', () => {
  const failed = told({ kind: 'step-failed', step: 'prepare', failures: [failure] });
  expect(statusOf(failed, 'none')).toMatchObject({
    ...{ state: 'failed', failure: { reason: 'image-build-failed' } },
    steps: { prepare: 'failed', report: 'waiting' },
  });
  expect(statusOf([], 'none')).toMatchObject({
    ...{ state: 'failed', failure: { reason: 'step-crashed', step: 'prepare' } },
    steps: { prepare: 'failed', report: 'waiting' },
  });
});

test('a step that several containers tell of begins once and has one verdict', () => {
  const twice = told(...ends(['prepare', 'image/operator']), ...ends(['image/operator']));
  const kinds = changesOf({ messages: twice, plan }).map(({ change }) => change.kind);
  expect(kinds.filter((kind) => kind === 'step-finished')).toHaveLength(2);
  const ids = numberEvents(1, changesOf({ messages: twice, plan })).map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test('until somebody has read the plan, prepare is not finished', () => {
  const changes = changesOf({ messages: told(...ends(['prepare'])), plan: undefined });
  expect(changes.map(({ change }) => change.kind)).toEqual(['step-started']);
});
