import { afterEach, describe, expect, test, vi } from 'vitest';
import type { TaskOutcome } from '../../steps/task-outcome.ts';
import type { ClusterStep, ClusterTask } from './cluster.ts';
import { TaskFollower } from './task-follower.ts';

const ending = new AbortController();
afterEach(() => vi.useRealTimers());

function task(
  steps: readonly Partial<ClusterStep>[],
  more: Partial<ClusterTask> = {},
): ClusterTask {
  return {
    ...{ name: 'run-images-0', task: 'images', unit: '000', pod: 'run-images-0-pod' },
    ...{ createdAt: '', startedAt: '', completedAt: undefined, condition: undefined },
    ...{ results: {}, retries: 0 },
    steps: steps.map((step) => ({
      ...{ name: 'run', container: 'step-run', state: 'running', reason: '' },
      ...{ exitCode: undefined, startedAt: '1', ...step },
    })),
    ...more,
  };
}

const started = (step: string) =>
  `::tributary:: {"at":"2026-01-01T00:00:00.000Z","kind":"step-started","step":"${step}"}`;

/** A follower of a container that prints these lines, pod after pod, and goes on until `release`. */
function follow(
  first: ClusterTask,
  pods: readonly (readonly string[])[],
  steps: Promise<readonly string[]> = Promise.resolve(['image/a', 'image/b']),
  outcome: () => Promise<TaskOutcome | undefined> = async () => undefined,
) {
  let opened = 0;
  const release = Promise.withResolvers<void>();
  const follower = new TaskFollower(first, {
    cluster: {
      async *log(_pod, _container, { signal }) {
        const lines = pods[Math.min(opened, pods.length - 1)] ?? [];
        opened += 1;
        yield* lines;
        const gone = new Promise((resolve) => signal.addEventListener('abort', resolve));
        await Promise.race([release.promise, gone]);
      },
      podTrouble: async () => undefined,
    },
    ...{ outcome, steps },
    changed: () => {},
    signal: ending.signal,
  });
  return { follower, release: () => release.resolve() };
}

const told = (follower: TaskFollower) =>
  follower.view().messages.map((message) => ('step' in message ? message.step : ''));

const over = { status: 'True', reason: 'Succeeded', message: '' } as const;

describe('the follower of a task', () => {
  test('hears what its container prints, and has no other pod when that ends', async () => {
    const { follower, release } = follow(task([{}]), [[started('image/a'), '[image/a] one']]);
    await vi.waitFor(() => expect(told(follower)).toEqual(['image/a']));
    // Tekton tells another beginning of what has ended.
    follower.update(task([{ state: 'terminated', startedAt: '2' }]));
    release();
    follower.update(task([{ state: 'terminated', startedAt: '2' }], { condition: over }));
    await vi.waitFor(() => expect(follower.view().final).toBe(true), 10_000);
    expect(told(follower)).toEqual(['image/a']);
    expect(follower.logs.get('image/a')?.tail(9)).toEqual([
      'one',
      '[this log may lack its end: its pod was gone before it was kept]',
    ]);
  });

  const say = (kind: string, step: string, more = {}) =>
    `::tributary:: ${JSON.stringify({ at: '2026-01-01T00:00:00.000Z', kind, step, ...more })}`;
  const progress = say('step-progress', 'image/a', { text: 'x' });

  test('believes a container no more than it may tell, and counts the rest', async () => {
    const { follower, release } = follow(task([{}]), [
      [
        started('image/a'),
        say('step-finished', 'image/a', { output: null }),
        started('bundle'),
        '[bundle] of another',
        started('image/a'),
        say('step-progress', 'image/b', { text: 'soon', at: '2999-01-01T00:00:00.000Z' }),
        ...Array(600).fill(progress),
        'Segmentation fault',
      ],
    ]);
    const ended = { condition: { ...over, status: 'False' } } as const;
    await vi.waitFor(() => expect(told(follower)).toHaveLength(502));
    const { messages } = follower.view();
    expect(new Set(messages.map(({ kind }) => kind))).toEqual(
      new Set(['step-started', 'step-progress']),
    );
    expect(messages.every(({ at }) => at <= new Date().toISOString())).toBe(true);
    follower.update(task([{ state: 'terminated' }], ended));
    release();
    await vi.waitFor(() => expect(follower.view().final).toBe(true), 10_000);
    expect([...follower.logs.keys()]).toEqual(['image/a']);
    const log = follower.logs.get('image/a')?.tail(50) ?? [];
    expect(log[0]).toMatch(/^\[105 line\(s\) are no log of these steps/);
    expect(log.at(-2)).toBe('  Segmentation fault');
  });

  test('waits for what the last container keeps after Tekton has ended the task for its memory', async () => {
    let asked = 0;
    const kept: TaskOutcome = { messages: [], logs: new Map() };
    const outcome = async () => (++asked < 3 ? undefined : kept);
    const condition = { ...over, status: 'False', reason: 'StepOOM' } as const;
    const ended = task([{ state: 'terminated' }], { condition });
    const { follower } = follow(ended, [], Promise.resolve(['image/a']), outcome);
    await vi.waitFor(() => expect(follower.view().final).toBe(true), 10_000);
    expect(asked).toBe(3);
    expect(follower.logs.size).toBe(0);
  });

  test('takes the word of the container that pushes', async () => {
    const finished = say('step-finished', 'image/a', { output: null });
    const { follower } = follow(task([{ name: 'push' }]), [[finished]]);
    await vi.waitFor(() => expect(told(follower)).toEqual(['image/a']));
  });

  test('hears containers one after the other: of the next one nothing counts before the one before was read to its end', async () => {
    const containers = [
      { name: 'fetch', container: 'step-fetch', state: 'terminated' },
      { name: 'run', container: 'step-run' },
    ] as const;
    const { follower, release } = follow(task(containers), [
      [started('image/a')],
      [started('image/b'), '[image/b] heard'],
    ]);
    await vi.waitFor(() => expect(follower.logs.has('image/b')).toBe(true));
    await vi.waitFor(() => expect(told(follower)).toEqual(['image/a']));
    expect(follower.isHeard()).toBe(false);
    release();
    await vi.waitFor(() => expect(told(follower)).toEqual(['image/a', 'image/b']));
  });

  test('believes nothing before it is known which steps it makes', async () => {
    const steps = Promise.withResolvers<readonly string[]>();
    const { follower } = follow(task([{}]), [[started('image/a')]], steps.promise);
    await vi.waitFor(() => expect(follower.isHeard()).toBe(true));
    expect(told(follower)).toEqual([]);
    steps.resolve(['image/a']);
    await vi.waitFor(() => expect(told(follower)).toEqual(['image/a']));
  });

  test.for([
    ['waits again', { state: 'waiting', startedAt: undefined }, {}],
    ['began at another time', { startedAt: '2' }, {}],
    ['is one of a further try', { startedAt: '2' }, { retries: 1, pod: 'run-images-0-pod-retry1' }],
  ] as const)('begins anew where the container %s', async ([, step, more]) => {
    const { follower } = follow(task([{}]), [
      [started('image/a'), '[image/a] one', started('image/b')],
      [started('image/a'), '[image/a] again'],
    ]);
    await vi.waitFor(() => expect(told(follower)).toEqual(['image/a', 'image/b']));
    follower.update(task([step], more));
    follower.update(task([{ startedAt: '2' }], more));
    await vi.waitFor(() => expect(told(follower)).toEqual(['image/a']));
    expect(follower.logs.get('image/a')?.tail(9)).toEqual([
      'one',
      '[its pod was lost: it is begun once more]',
      'again',
    ]);
  });
});
