import type { StepState } from '../../builds/build.ts';
import { type BuildEvent, describeRetry, type PlannedStep } from '../../builds/event.ts';
import { unreachable } from '../../builds/result.ts';

/** A step as a watcher of events knows it. */
export interface WatchedStep {
  readonly id: string;
  readonly kind: PlannedStep['kind'];
  state: StepState;
  startedAt: string | null;
  finishedAt: string | null;
  progress: string;
}

/** A build as a watcher of events knows it. */
export interface WatchedBuild {
  readonly tag: string;
  /** Time of the first event of the attempt. */
  begunAt: string | null;
  state: 'queued' | 'running' | 'cancelling' | 'succeeded' | 'failed' | 'cancelled' | 'expired';
  attempt: number;
  readonly steps: Map<string, WatchedStep>;
}

/** A build of which no event was seen yet. */
export function watchBuild(tag: string): WatchedBuild {
  return { tag, begunAt: null, state: 'queued', attempt: 0, steps: new Map() };
}

/** Takes in one event. */
export function watchEvent(build: WatchedBuild, event: BuildEvent): void {
  if (event.attempt > build.attempt) {
    build.attempt = event.attempt;
    build.begunAt = event.at;
    build.state = 'queued';
    build.steps.clear();
    build.steps.set('prepare', waiting({ id: 'prepare', kind: 'prepare' }));
  }
  switch (event.kind) {
    case 'queued':
      return;
    case 'started':
      build.state = 'running';
      return;
    case 'planned':
      for (const step of event.steps) {
        if (!build.steps.has(step.id)) build.steps.set(step.id, waiting(step));
      }
      return;
    case 'cancel-requested':
      build.state = 'cancelling';
      return;
    case 'succeeded':
    case 'failed':
    case 'cancelled':
    case 'expired':
      build.state = event.kind;
      return;
    case 'step-started':
    case 'step-progress':
    case 'step-retrying':
    case 'step-finished':
    case 'step-failed':
    case 'step-skipped':
      watchStep(build, event);
      return;
    default:
      unreachable(event);
  }
}

function watchStep(build: WatchedBuild, event: Extract<BuildEvent, { step: string }>): void {
  const step = build.steps.get(event.step);
  if (step === undefined) return;
  switch (event.kind) {
    case 'step-started':
      step.state = 'running';
      step.startedAt = event.at;
      return;
    case 'step-progress':
      step.progress = event.text;
      return;
    case 'step-retrying':
      step.progress = describeRetry(event);
      return;
    case 'step-finished': {
      const { output } = event;
      step.state = output !== null && 'reused' in output && output.reused ? 'reused' : 'succeeded';
      step.finishedAt = event.at;
      return;
    }
    case 'step-failed':
      step.state = 'failed';
      step.finishedAt = event.at;
      return;
    case 'step-skipped':
      step.state = 'skipped';
      step.finishedAt = event.at;
      return;
    default:
      unreachable(event);
  }
}

function waiting(step: Pick<PlannedStep, 'id' | 'kind'>): WatchedStep {
  return {
    id: step.id,
    kind: step.kind,
    state: 'waiting',
    startedAt: null,
    finishedAt: null,
    progress: '',
  };
}
