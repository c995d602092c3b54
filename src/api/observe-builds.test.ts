import { expect, test, vi } from 'vitest';
import { exampleBuild, failure } from '../../test/support/fake-service.ts';
import type { BuildChange, BuildEvent } from '../builds/event.ts';
import type { Engine } from '../engine/engine.ts';
import { createMetrics } from './metrics.ts';
import { observed } from './observe-builds.ts';

const since = '2026-11-23T10:00:00.000Z';

function events(first: string, changes: readonly BuildChange[]): BuildEvent[] {
  return changes.map((change, index) => ({
    ...change,
    id: `${first}${index}`,
    at: new Date(Date.parse(first) + index * 1000).toISOString(),
    attempt: 1,
  }));
}

/** An engine with these events of every build, and these open builds. */
function engineWith(told: readonly BuildEvent[], open: number, attempt = 1): Engine {
  return {
    submit: async () => ({ kind: 'created', build: exampleBuild }),
    rerun: async () => ({ ok: true, value: { ...exampleBuild, attempt } }),
    list: async ({ state, limit, after }) => {
      const skipped = Number(after ?? 0);
      const here = state === 'running' ? Math.min(limit, open - skipped) : 0;
      const next = skipped + here < open && state === 'running' ? String(skipped + here) : null;
      return { builds: Array.from({ length: here }, () => exampleBuild), next };
    },
    async *events() {
      yield* told;
    },
  } as Partial<Engine> as Engine;
}

const build: BuildChange[] = [
  { kind: 'step-started', step: 'image/a' },
  { kind: 'step-finished', step: 'image/a', output: null },
  { kind: 'step-started', step: 'bundle' },
  { kind: 'step-failed', step: 'bundle', failures: [failure('bad-bundle')] },
  { kind: 'failed', failures: [failure('bad-bundle')] },
];

async function measured(
  told: readonly BuildEvent[],
  act: (engine: Engine) => Promise<unknown>,
  attempt = 1,
): Promise<string> {
  const metrics = createMetrics(async () => ({ queued: 0, running: 0 }));
  const engine = observed(
    engineWith(told, 0, attempt),
    metrics,
    since,
    new AbortController().signal,
  );
  await act(engine);
  await vi.waitFor(async () =>
    expect((await metrics.registry.metrics()).length).toBeGreaterThan(0),
  );
  await new Promise((resolve) => setImmediate(resolve));
  return metrics.registry.metrics();
}

test('steps are timed by kind and outcome, and ends are counted with their reason', async () => {
  const text = await measured(events(since, build), (engine) =>
    engine.rerun(exampleBuild.tag, { rebuild: false }),
  );
  expect(text).toContain('tributary_step_seconds_sum{kind="image",outcome="succeeded"} 1');
  expect(text).toContain('tributary_step_seconds_count{kind="bundle",outcome="failed"} 1');
  expect(text).toContain('tributary_builds_finished_total{state="failed",reason="bad-bundle"} 1');
});

test('what happened before the service started is not counted again', async () => {
  const before = events('2026-11-23T09:00:00.000Z', build);
  const text = await measured(before, (engine) =>
    engine.rerun(exampleBuild.tag, { rebuild: false }),
  );
  expect(text).not.toContain('tributary_step_seconds_count');
  expect(text).not.toContain('tributary_builds_finished_total{');
});

test('what became of earlier attempts is not counted again', async () => {
  const told = [
    ...events(since, build),
    ...events('2026-11-23T10:10:00.000Z', build).map((event) => ({ ...event, attempt: 2 })),
  ];
  const text = await measured(
    told,
    (engine) => engine.rerun(exampleBuild.tag, { rebuild: false }),
    2,
  );
  expect(text).toContain('tributary_builds_finished_total{state="failed",reason="bad-bundle"} 1');
});
