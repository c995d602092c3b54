import type { PatchReport, StepKind, StepOutput } from '../plan/plan.ts';
import type { Failure } from './failure.ts';

/** A step as people see it before and while it runs. */
export interface PlannedStep {
  readonly id: string;
  readonly kind: StepKind | 'prepare';
  readonly needs: readonly string[];
  readonly weight: number;
}

/** Something outside is in trouble that may pass, and will be asked again. */
export interface Retry {
  /** Who is asked: `registry 127.0.0.1:5000`. */
  readonly what: string;
  /** `connection refused`. */
  readonly why: string;
  /** 1 is the first further try. */
  readonly retry: number;
  /** Until that try. */
  readonly seconds: number;
}

/** A retry as one line for people. */
export function describeRetry({ what, why, retry, seconds }: Retry): string {
  return `${what}: ${why}; asking again in ${seconds} s (retry ${retry})`;
}

type Change =
  | { readonly kind: 'queued' }
  | { readonly kind: 'started' }
  /** `prepare` is done: these steps follow. */
  | {
      readonly kind: 'planned';
      readonly steps: readonly PlannedStep[];
      readonly patches: readonly PatchReport[];
    }
  | { readonly kind: 'step-started'; readonly step: string }
  /** One line about a running step (`pulling base image`, `compiling`). */
  | { readonly kind: 'step-progress'; readonly step: string; readonly text: string }
  /** A running step waits for something outside to answer as it should. */
  | ({ readonly kind: 'step-retrying'; readonly step: string } & Retry)
  | { readonly kind: 'step-finished'; readonly step: string; readonly output: StepOutput | null }
  | { readonly kind: 'step-failed'; readonly step: string; readonly failures: readonly Failure[] }
  /** It never ran: something it waits for failed, or the build was cancelled. */
  | { readonly kind: 'step-skipped'; readonly step: string }
  | { readonly kind: 'cancel-requested' }
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'failed'; readonly failures: readonly Failure[] }
  | { readonly kind: 'cancelled' }
  /** The images are gone (their tags were removed). */
  | { readonly kind: 'expired' };

/**
 * Something that happened to a build. `id` is `<attempt>/<step or build>/<transition>`, the same
 * whoever computes it, so that a reader resumes anywhere and the same event is never told twice.
 */
export type BuildEvent = Change & {
  readonly id: string;
  /** RFC 3339, UTC. */
  readonly at: string;
  /** 1 for the first run of a tag, 2 for `-r2`, … */
  readonly attempt: number;
};
export type BuildChange = Change;

/** Whether a step may tell it many times. */
export function isRepeated(change: Change): change is Extract<Change, { kind: Repeated }> {
  return change.kind in repeated;
}

type Repeated = keyof typeof repeated;
const repeated = { 'step-progress': 'progress', 'step-retrying': 'retrying' } as const;

/** The id of an event; `sequence` tells what a step may tell many times apart. */
export function eventId(attempt: number, change: Change, sequence = 0): string {
  const subject = 'step' in change ? change.step : 'build';
  const transition = isRepeated(change) ? `${repeated[change.kind]}.${sequence}` : change.kind;
  return `${attempt}/${subject}/${transition}`;
}
