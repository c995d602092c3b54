import type { Build, BuildState, NewBuild } from '../builds/build.ts';
import type { BuildEvent } from '../builds/event.ts';
import type { Failure, Outcome } from '../builds/failure.ts';
import type { Tag } from '../plan/names.ts';

/** Which builds to list: newest first. */
export interface BuildQuery {
  readonly state?: BuildState;
  readonly name?: string;
  readonly component?: string;
  /** Who asked for the latest attempt. */
  readonly requester?: string;
  /** At most so many (1–100). */
  readonly limit: number;
  /** Opaque; from `next` of the page before. */
  readonly after?: string;
}

export interface BuildPage {
  readonly builds: readonly Build[];
  readonly next: string | null;
  /** Why builds may be missing here, where what is asked for them does not answer. */
  readonly incomplete?: Failure;
}

export interface OpenBuilds {
  readonly queued: number;
  readonly running: number;
}

/**
 * `created`: this call made the run. `known`: the same lock was asked before and its build is
 * queued, running, succeeded or failed by its code. `restarted`: the build was cancelled, expired or
 * failed by the infrastructure, or a rebuild was asked for: attempt n+1 began. `taken`: another lock
 * has this tag (or its pipelinerun name): the caller lengthens the tag and asks again.
 */
export type Submission =
  | { readonly kind: 'created' | 'known' | 'restarted'; readonly build: Build }
  | { readonly kind: 'taken' };

/** Runs builds. `local` runs child processes, `tekton` PipelineRuns; one contract suite for both. */
export interface Engine {
  submit(build: NewBuild): Promise<Submission>;
  get(tag: Tag): Promise<Build | undefined>;
  list(query: BuildQuery): Promise<BuildPage>;
  /** How many builds wait and run: asked often, and by anybody, so that no build is worked out for it. */
  countOpen(): Promise<OpenBuilds>;
  /** All events, each once, then live ones until the build ends or `signal`: those of one step in their order, whichever process is asked. */
  events(tag: Tag, signal: AbortSignal): AsyncIterable<BuildEvent>;
  /** Log text of a step's latest attempt, following while it runs if `follow`; undefined where there is no such step. */
  log(
    tag: Tag,
    step: string,
    follow: boolean,
    signal: AbortSignal,
  ): Promise<AsyncIterable<string> | undefined>;
  cancel(tag: Tag): Promise<Outcome<Build>>;
  /** A new attempt of a finished build; `rebuild` ignores hits, `requester` asks for it (default: whoever asked before). */
  rerun(
    tag: Tag,
    options: { readonly rebuild: boolean; readonly requester?: string },
  ): Promise<Outcome<Build>>;
  /** Stops taking work and ends running steps without a verdict: a later start goes on with them. */
  close(): Promise<void>;
}
