import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { demoBuild } from '../../test/support/demo-build.ts';
import type { Digest, ImageName, Key } from '../plan/names.ts';
import type { StepOutput } from '../plan/plan.ts';
import { type BuildChange, type BuildEvent, eventId } from './event.ts';
import type { Failure } from './failure.ts';
import { foldBuild } from './fold.ts';

const build = demoBuild();
const failure: Failure = { reason: 'patch-conflict', detail: 'It conflicts.', hint: 'Skip it.' };
const output = (digit: string, reused = false): StepOutput => ({
  kind: 'image',
  key: 'a'.repeat(64) as Key,
  reused,
  digest: `sha256:${digit.repeat(64)}` as Digest,
  image: 'x@y',
});
const planned: BuildChange = {
  kind: 'planned',
  patches: [],
  steps: [
    { id: 'image/controller', kind: 'image', needs: ['prepare'], weight: 1 },
    { id: 'image/operator', kind: 'image', needs: ['prepare'], weight: 1 },
    {
      id: 'operator-payload/operator',
      kind: 'operator-payload',
      needs: ['image/operator'],
      weight: 1,
    },
    { id: 'bundle', kind: 'bundle', needs: ['operator-payload/operator'], weight: 1 },
    { id: 'report', kind: 'report', needs: ['bundle'], weight: 1 },
  ],
};
const finish = (step: string, made: StepOutput | null): BuildChange[] => [
  { kind: 'step-started', step },
  { kind: 'step-finished', step, output: made },
];
const begun: BuildChange[] = [
  { kind: 'queued' },
  { kind: 'started' },
  { kind: 'step-started', step: 'prepare' },
  planned,
  { kind: 'step-finished', step: 'prepare', output: null },
];

/** Changes as the events of an attempt, a second apart. */
function happen(changes: readonly BuildChange[], attempt = 1): BuildEvent[] {
  return changes.map((change, index) => ({
    ...change,
    ...{ id: eventId(attempt, change, index), attempt },
    at: new Date(Date.UTC(2026, 0, attempt, 0, 0, index)).toISOString(),
  }));
}

test('what a Makefile pushed are the images and the bundle of the build', () => {
  const digest = (digit: string) => `sha256:${digit.repeat(64)}` as Digest;
  const made: StepOutput = {
    ...{ kind: 'makefile', digest: digest('b'), image: 'x@y' },
    images: { ['controller' as ImageName]: digest('c') },
  };
  const steps = [{ id: 'makefile', kind: 'makefile', needs: ['prepare'], weight: 1 } as const];
  const changes: BuildChange[] = [
    { kind: 'started' },
    { kind: 'planned', patches: [], steps },
    ...finish('makefile', made),
  ];
  const { images, bundle } = foldBuild(build, happen(changes));
  expect(bundle.digest).toBe(digest('b'));
  expect(images.map(({ name, digest: of, reused }) => [name, of, reused])).toEqual([
    ['controller', digest('c'), false],
    ['operator', null, false],
  ]);
});

describe('the status of a build', () => {
  test.for<[string, BuildChange[], object]>([
    [
      'is queued at first',
      [{ kind: 'queued' }],
      { state: 'queued', startedAt: null, queuePosition: 3 },
    ],
    [
      'is running once it began',
      [{ kind: 'queued' }, { kind: 'started' }],
      { state: 'running', queuePosition: null },
    ],
    [
      'is running while it is being cancelled',
      [...begun, { kind: 'cancel-requested' }],
      { state: 'running' },
    ],
    ['is succeeded', [...begun, { kind: 'succeeded' }], { state: 'succeeded', failure: null }],
    ['is cancelled', [...begun, { kind: 'cancelled' }], { state: 'cancelled', failure: null }],
    [
      'is expired after it succeeded',
      [...begun, { kind: 'succeeded' }, { kind: 'expired' }],
      { state: 'expired' },
    ],
    [
      'is failed, with the first failure, its owner and its step',
      [
        ...begun,
        { kind: 'step-started', step: 'image/controller' },
        { kind: 'step-failed', step: 'image/controller', failures: [failure] },
        { kind: 'failed', failures: [failure] },
      ],
      { state: 'failed', failure: { ...failure, owner: 'patch', step: 'image/controller' } },
    ],
    [
      'is failed without a step',
      [{ kind: 'queued' }, { kind: 'failed', failures: [failure] }],
      { failure: { step: null } },
    ],
    [
      'has no failure while other steps run',
      [...begun, { kind: 'step-failed', step: 'image/controller', failures: [failure] }],
      { state: 'running', failure: null },
    ],
  ])('%s', ([, changes, expected]) => {
    expect(foldBuild(build, happen(changes), 3)).toMatchObject(expected);
  });

  test('lists every image of the product under its tag, at first without digests', () => {
    const at = (name: string) => `127.0.0.1:5000/demo/${name}:${build.tag}`;
    expect(foldBuild(build, [])).toMatchObject({
      images: [
        { name: 'controller', image: at('controller'), digest: null, reused: false },
        { name: 'operator', image: at('operator'), digest: null, reused: false },
      ],
      bundle: { image: at('operator-bundle'), digest: null },
      index: { image: at('operator-index'), digest: null },
    });
  });

  test('gives an operator image the digest that it has with its payload', () => {
    const before = [
      ...begun,
      ...finish('image/controller', output('1', true)),
      ...finish('image/operator', output('2')),
    ];
    const digests = (changes: BuildChange[]) =>
      foldBuild(build, happen(changes)).images.map(({ digest, reused }) => [
        digest?.slice(7, 9),
        reused,
      ]);
    expect(digests(before)).toEqual([
      ['11', true],
      [undefined, false],
    ]);
    expect(
      digests([
        ...before,
        ...finish('operator-payload/operator', {
          ...output('3'),
          kind: 'operator-payload',
        } as StepOutput),
      ]),
    ).toEqual([
      ['11', true],
      ['33', false],
    ]);
  });

  test('a step that asks something again says so while it waits, and how often afterwards', () => {
    const retry = { what: 'registry r', why: 'connection refused', retry: 1, seconds: 2 };
    const waiting = { kind: 'step-retrying', step: 'image/controller', ...retry } as const;
    const running = [
      ...begun,
      { kind: 'step-started', step: 'image/controller' } as const,
      ...[waiting, { ...waiting, retry: 2 }],
    ];
    const during = foldBuild(build, happen(running)).steps[1];
    expect(during).toMatchObject({ state: 'running', retries: 2 });
    expect(during?.progress).toBe('registry r: connection refused; asking again in 2 s (retry 2)');
    const done = { kind: 'step-finished', step: 'image/controller', output: output('1') } as const;
    const after = foldBuild(build, happen([...running, done])).steps[1];
    expect(after).toMatchObject({ state: 'succeeded', retries: 2 });
    expect(after).not.toHaveProperty('progress');
  });

  test('tells reused steps from finished ones, and shows progress only while a step runs', () => {
    const running: BuildChange[] = [
      ...begun,
      ...finish('image/operator', output('2', true)),
      { kind: 'step-started', step: 'image/controller' },
      { kind: 'step-progress', step: 'image/controller', text: 'compiling' },
    ];
    const steps = (changes: BuildChange[]) => foldBuild(build, happen(changes)).steps;
    expect(steps(running)).toMatchObject([
      { id: 'prepare', state: 'succeeded' },
      { id: 'image/controller', state: 'running', progress: 'compiling' },
      { id: 'image/operator', state: 'reused' },
      ...[{ state: 'waiting' }, { state: 'waiting' }, { state: 'waiting' }],
    ]);
    const after = steps([...running, { kind: 'step-skipped', step: 'image/controller' }])[1];
    expect(after).toMatchObject({ state: 'skipped', finishedAt: expect.any(String) });
    expect(after).not.toHaveProperty('progress');
  });

  test('begins anew with each attempt, and ignores what is late from the one before', () => {
    const first = happen([...begun, { kind: 'failed', failures: [failure] }]);
    const late = { ...happen([{ kind: 'succeeded' }])[0], id: 'late' } as BuildEvent;
    const again = foldBuild(build, [...first, ...happen([{ kind: 'queued' }], 2), late]);
    expect(again).toMatchObject({ state: 'queued', attempt: 2, failure: null, finishedAt: null });
    expect(again.pipelinerun).toBe(`${build.pipelinerun}-r2`);
    expect(again.createdAt).toBe(first[0]?.at);
    expect(again.steps.map(({ id }) => id)).toEqual(['prepare']);
  });

  const log = happen([
    ...begun,
    ...finish('image/controller', output('1')),
    { kind: 'step-failed', step: 'image/operator', failures: [failure] },
    { kind: 'step-skipped', step: 'bundle' },
    { kind: 'failed', failures: [failure] },
  ]);

  test('is the same when events are told more than once', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(log.length - 1)), (again) => {
        const repeated = log.flatMap((event, index) => [
          event,
          ...log.slice(0, index).filter((_, i) => again.includes(i)),
        ]);
        expect(foldBuild(build, repeated)).toEqual(foldBuild(build, log));
      }),
    );
  });

  test.for(log.map((_, length) => length))('can be told from the first %i events', (length) => {
    const status = foldBuild(build, log.slice(0, length));
    expect(status.failure === null).toBe(status.state !== 'failed');
    expect(status.state === 'failed').toBe(length === log.length);
  });
});
