import type { Lock } from '../plan/lock.ts';
import type { Digest, Tag } from '../plan/names.ts';
import type { Inclusion, PatchReport, Unpullable } from '../plan/plan.ts';
import type { ProductText } from '../product/place.ts';
import type { Product } from '../product/product.ts';
import type { PlannedStep } from './event.ts';
import type { Failure } from './failure.ts';

export type BuildState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'expired';
export type StepState = 'waiting' | 'running' | 'succeeded' | 'reused' | 'failed' | 'skipped';

/** A step of a build as people see it. */
export interface StepStatus extends PlannedStep {
  readonly state: StepState;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  /** The last line of progress while it runs. */
  readonly progress?: string;
  /** How often it had to ask something outside again. */
  readonly retries?: number;
  readonly failures?: readonly Failure[];
}

/** An image of the product in this build. */
export interface BuiltImage {
  readonly name: string;
  /** `REMOTE/name:TAG`. */
  readonly image: string;
  readonly digest: Digest | null;
  readonly reused: boolean;
}

/** What is asked of an engine: everything that is known when the caller is answered. */
export interface NewBuild {
  readonly tag: Tag;
  /** Of attempt 1; later attempts add `-r2`, `-r3`, … */
  readonly pipelinerun: string;
  /** product.yaml as parsed when it was asked: what `lock.product.file` is the digest of. */
  readonly product: Product;
  /** The same as it was written; absent in builds of before it was kept. */
  readonly productText?: ProductText | undefined;
  readonly lockDigest: Digest;
  readonly lock: Lock;
  /** How each ref was read, for people: component → text. */
  readonly read: Readonly<Record<string, RefReading>>;
  readonly requester: string;
  readonly notify: readonly string[];
  readonly rebuild: boolean;
}

/** The same, of whose product only that is known which its status names: what outlives the caller's answer. */
export type AskedBuild = Omit<NewBuild, 'product' | 'productText'> & {
  readonly product: {
    readonly images: Readonly<Record<string, unknown>>;
    readonly bundle: { readonly image: string };
    readonly index: { readonly image: string };
  };
};

/** How one ref of the request was read. */
export interface RefReading {
  /** The ref as written. */
  readonly ref: string;
  readonly as: 'merge' | 'pick' | 'head';
  /** Commit that the ref names. */
  readonly commit: string;
  readonly url: string;
  readonly base?: { readonly branch: string; readonly commit: string; readonly found: string };
  /** Why merge, pick or head: one sentence. */
  readonly why: string;
}

/** A build being run, and what came of it: the same in HTTP, CLI, notifications and record. */
export interface Build {
  readonly tag: Tag;
  readonly pipelinerun: string;
  readonly name: string;
  readonly state: BuildState;
  readonly attempt: number;
  readonly release: string;
  readonly requester: string;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  /** 1 is next; null when it is not queued. */
  readonly queuePosition: number | null;
  readonly components: Readonly<Record<string, RefReading>>;
  readonly steps: readonly StepStatus[];
  readonly images: readonly BuiltImage[];
  /** `REMOTE/…-bundle:TAG`. */
  readonly bundle: { readonly image: string; readonly digest: Digest | null };
  readonly index: { readonly image: string; readonly digest: Digest | null };
  readonly inclusion: readonly Inclusion[];
  readonly unpullable: readonly Unpullable[];
  readonly patches: readonly PatchReport[];
  /** Why it failed: the first failure, with whose it is; null unless `state` is `failed`. */
  readonly failure: (Failure & { readonly owner: string; readonly step: string | null }) | null;
}
