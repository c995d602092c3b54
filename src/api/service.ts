import type { Approval } from '../access/approvals.ts';
import type { Build } from '../builds/build.ts';
import type { BuildEvent } from '../builds/event.ts';
import type { Failure, Outcome } from '../builds/failure.ts';
import type { BuildQuery } from '../engine/engine.ts';
import type {
  ApprovalList,
  Approved,
  Components,
  Install,
  Links,
  PlanAnswer,
  Readiness,
  Submitted,
} from './answers.ts';

/** A build, with links where a service answers. */
export type LinkedBuild = Build & { readonly links?: Links };

export interface LinkedBuildPage {
  readonly builds: readonly LinkedBuild[];
  readonly next: string | null;
  readonly incomplete?: Failure;
}

/** Which builds to list; `mine`: those of who asks. */
export type ListQuery = BuildQuery & { readonly mine?: boolean };

/**
 * Everything that Tributary does for a caller. The HTTP API offers it; the CLI uses it, in its own
 * process or through HTTP, without knowing which.
 */
export interface Service {
  /** `body` is a request as JSON data, not checked yet. */
  submit(body: unknown, requester: string): Promise<Outcome<Submitted>>;
  /** What `submit` of the same body would do. */
  plan(body: unknown, signal: AbortSignal): Promise<Outcome<PlanAnswer>>;
  get(tag: string): Promise<Outcome<LinkedBuild>>;
  list(query: ListQuery, requester: string): Promise<Outcome<LinkedBuildPage>>;
  /** All events, then live ones until the build ends. */
  events(tag: string, signal: AbortSignal): Promise<Outcome<AsyncIterable<BuildEvent>>>;
  /** Text of a step's log; with `follow`, until the step ends. */
  log(
    tag: string,
    step: string,
    follow: boolean,
    signal: AbortSignal,
  ): Promise<Outcome<AsyncIterable<string>>>;
  install(tag: string): Promise<Outcome<Install>>;
  cancel(tag: string): Promise<Outcome<LinkedBuild>>;
  rerun(
    tag: string,
    options: { readonly rebuild: boolean; readonly requester: string },
  ): Promise<Outcome<LinkedBuild>>;
  components(): Promise<Outcome<Components>>;
  /** Vouches for a commit; `body` is `{ref, commit}` as JSON data, not checked yet. */
  approve(body: unknown, by: string): Promise<Outcome<Approved>>;
  approvals(): Promise<Outcome<ApprovalList>>;
  /** The approval that was taken away. */
  withdraw(commit: string): Promise<Outcome<Approval>>;
  readiness(): Promise<Readiness>;
}
