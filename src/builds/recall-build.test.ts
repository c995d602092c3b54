import { expect, test } from 'vitest';
import { demoBuild } from '../../test/support/demo-build.ts';
import type { Digest, Key } from '../plan/names.ts';
import type { StepOutput } from '../plan/plan.ts';
import { type BuildChange, type BuildEvent, eventId } from './event.ts';
import type { Failure } from './failure.ts';
import { foldBuild } from './fold.ts';
import { recallBuild } from './recall-build.ts';

const asked = demoBuild();
const digest = `sha256:${'d'.repeat(64)}` as Digest;
const report: StepOutput = { kind: 'report', digest };
const failure: Failure = { reason: 'image-build-failed', detail: 'No.', hint: 'Mend it.' };

/** Events of attempt 2, a second apart. */
function happen(changes: readonly BuildChange[]): BuildEvent[] {
  return changes.map((change, index) => ({
    ...change,
    id: eventId(2, change),
    at: new Date(1e12 + index * 1000).toISOString(),
    attempt: 2,
  }));
}

const planned = {
  kind: 'planned',
  steps: ['image/controller', 'image/operator', 'bundle', 'verify', 'report'].map((id) => ({
    ...{ id, kind: id.split('/')[0] as 'image', needs: [], weight: 1 },
  })),
  patches: [{ component: 'a/b', patch: 'x.patch', outcome: 'applied', by: 'tributary' }],
} as unknown as BuildChange;
const prepared: BuildChange[] = [
  ...([
    { kind: 'queued' },
    { kind: 'started' },
    { kind: 'step-started', step: 'prepare' },
  ] as const),
  ...([planned, { kind: 'step-finished', step: 'prepare', output: null }] as const),
];
const image = (step: string, reused: boolean): StepOutput => ({
  kind: 'image',
  ...{
    key: 'a'.repeat(64) as Key,
    reused,
    digest,
    image: `registry.example.com/${step}@${digest}`,
  },
});
const finish = (step: string, output: StepOutput): BuildChange[] => [
  { kind: 'step-started', step },
  { kind: 'step-finished', step, output },
];
const images = [
  ...finish('image/controller', image('controller', true)),
  ...finish('image/operator', image('operator', false)),
];
const failed = { kind: 'failed', failures: [failure] } as const;

const histories: Record<string, readonly BuildChange[]> = {
  succeeded: [
    ...[...prepared, ...images, ...finish('bundle', image('bundle', false))],
    ...finish('verify', { kind: 'verify', inclusion: [], unpullable: [] }),
    { kind: 'succeeded' },
  ],
  'failed in a step': [
    ...[...prepared, ...finish('image/operator', image('operator', false))],
    { kind: 'step-started', step: 'image/controller' },
    { kind: 'step-failed', step: 'image/controller', failures: [failure] },
    ...(['bundle', 'verify'].map((step) => ({ kind: 'step-skipped', step })) as BuildChange[]),
    failed,
  ],
  'failed in prepare': [
    ...prepared.slice(0, 3),
    { kind: 'step-failed', step: 'prepare', failures: [failure] },
    {
      kind: 'planned',
      steps: [{ id: 'report', kind: 'report', needs: ['prepare'], weight: 2 }],
      patches: [],
    },
    failed,
  ],
  'failed without a step': [...prepared, ...images, failed],
};

test.for(Object.entries(histories))(
  'a build that %s is the same again, and its report is over',
  ([, changes]) => {
    const events = happen(changes);
    const recorded = foldBuild(asked, events);
    const outputs = Object.fromEntries(
      changes.flatMap((change) =>
        change.kind === 'step-finished' && change.output ? [[change.step, change.output]] : [],
      ),
    );
    const recalled = recallBuild(recorded, outputs, report).map(({ at, change }) => ({
      ...change,
      ...{ id: eventId(2, change), at, attempt: 2 },
    }));
    const at = recorded.finishedAt;
    const over = { state: 'succeeded', startedAt: at, finishedAt: at };
    const steps = recorded.steps
      .filter(({ state, id }) => state !== 'waiting' || id === 'report')
      .map((step) => (step.id === 'report' ? { ...step, ...over } : step));
    const again = foldBuild(asked, recalled);
    expect(again.steps.filter(({ state }) => state !== 'waiting')).toEqual(steps);
    expect({ ...again, steps: [] }).toEqual({ ...recorded, steps: [] });
  },
);
