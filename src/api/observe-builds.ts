import type { Build } from '../builds/build.ts';
import type { BuildEvent } from '../builds/event.ts';
import type { Engine } from '../engine/engine.ts';
import type { Tag } from '../plan/names.ts';
import type { Metrics } from './parts.ts';

/**
 * The same engine, whose builds are measured: how long steps take, how builds end. Only what happens
 * from `since` (RFC 3339) on is counted, as Prometheus expects of counters that begin at zero.
 */
export function observed(
  engine: Engine,
  metrics: Metrics,
  since: string,
  signal: AbortSignal,
): Engine {
  const followed = new Set<Tag>();

  const follow = async ({ tag, attempt }: Pick<Build, 'tag' | 'attempt'>) => {
    if (followed.has(tag)) return;
    followed.add(tag);
    try {
      const starts = new Map<string, { kind: string; at: string }>();
      for await (const event of engine.events(tag, signal)) {
        // Events of earlier attempts are told again, and were counted when they happened.
        const counts = event.at >= since && event.attempt >= attempt;
        measure(event, starts, counts, metrics);
      }
    } finally {
      followed.delete(tag);
    }
  };
  /** Measuring must not disturb: what goes wrong in it goes wrong for the caller too, and is told there. */
  const inBackground = (build: Pick<Build, 'tag' | 'attempt'>) =>
    void follow(build).catch(() => {});

  const followOpen = async () => {
    for (const state of ['queued', 'running'] as const) {
      for (const build of (await engine.list({ state, limit: 100 })).builds) inBackground(build);
    }
  };
  void followOpen().catch(() => {});

  return {
    ...engine,
    async submit(build) {
      const submission = await engine.submit(build);
      if (submission.kind === 'created' || submission.kind === 'restarted') {
        inBackground(submission.build);
      }
      return submission;
    },
    async rerun(tag, options) {
      const outcome = await engine.rerun(tag, options);
      if (outcome.ok) inBackground(outcome.value);
      return outcome;
    },
  };
}

function measure(
  event: BuildEvent,
  starts: Map<string, { kind: string; at: string }>,
  counts: boolean,
  metrics: Metrics,
): void {
  if (event.kind === 'step-started') {
    starts.set(event.step, { kind: event.step.split('/', 1)[0] ?? '', at: event.at });
    return;
  }
  if (!counts) return;
  const observe = ({ step, at }: { step: string; at: string }, outcome: string) => {
    const start = starts.get(step);
    if (start === undefined) return;
    const seconds = (Date.parse(at) - Date.parse(start.at)) / 1000;
    metrics.steps.observe({ kind: start.kind, outcome }, seconds);
  };
  if (event.kind === 'step-finished') observe(event, wasReused(event) ? 'reused' : 'succeeded');
  else if (event.kind === 'step-failed') observe(event, 'failed');
  else countEnd(event, metrics);
}

function countEnd(event: BuildEvent, { finished }: Metrics): void {
  if (event.kind === 'failed') {
    finished.inc({ state: 'failed', reason: event.failures[0]?.reason ?? 'none' });
  } else if (event.kind === 'succeeded' || event.kind === 'cancelled') {
    finished.inc({ state: event.kind, reason: 'none' });
  }
}

function wasReused({ output }: Extract<BuildEvent, { kind: 'step-finished' }>): boolean {
  return output !== null && 'reused' in output && output.reused;
}
