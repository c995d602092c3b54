import type { CommitSha, ComponentName, Digest } from './names.ts';

/** How a pull request's base branch was found. */
export type BaseFound = 'request' | 'forge' | 'only-candidate' | 'nearest' | 'tie-default-branch';

/** The base branch of a pull request, and the commit it stood at. */
export interface Base {
  readonly branch: string;
  readonly commit: CommitSha;
  readonly found: BaseFound;
}

/** A ref after resolution: where the code is, which commits, and how they combine. */
export type PinnedSource =
  /** Not named by the request: what the product pins today. */
  | {
      readonly kind: 'base';
      readonly url: string;
      readonly branch: string;
      readonly commit: CommitSha;
    }
  /** One commit as it is: a branch, a tag, a commit, or a pull request's head alone. */
  | {
      readonly kind: 'head';
      readonly url: string;
      readonly ref: string;
      readonly commit: CommitSha;
    }
  /** A head merged into its base branch. */
  | {
      readonly kind: 'merge';
      readonly url: string;
      readonly ref: string;
      readonly commit: CommitSha;
      /** URL of the repository that holds the base branch (the component's own). */
      readonly baseUrl: string;
      readonly base: Base;
    }
  /** A head's own commits (those after `mergeBase`) on top of what the product pins. */
  | {
      readonly kind: 'pick';
      readonly url: string;
      readonly ref: string;
      readonly commit: CommitSha;
      readonly baseUrl: string;
      readonly base: Base;
      readonly mergeBase: CommitSha;
      readonly onto: CommitSha;
    };

/** How a build is made: image by image, or by the targets of the product's own Makefile. */
export type Strategy = 'images' | 'makefile';

/** Which downstream patches are bypassed. */
export type PatchPolicy = 'none' | { readonly skip: readonly string[] };

/**
 * All that decides a build, as canonical JSON (RFC 8785). The same wish gives the same lock. Not in
 * it: who asked, `rebuild`, `notify`.
 */
export interface Lock {
  readonly version: 1;
  readonly name: string;
  readonly release: string;
  readonly product: {
    readonly name: string;
    /** SHA-256 of product.yaml as parsed, in canonical JSON. */
    readonly file: Digest;
    readonly source: PinnedSource;
  };
  /** Every component of the product; those not named are of kind `base`. */
  readonly components: Readonly<Record<ComponentName, PinnedSource>>;
  /** Only components with a policy. */
  readonly patches: Readonly<Record<ComponentName, PatchPolicy>>;
  /** `push`: where we push to; `pull`: the same place as a cluster names it (it is written into bundle and payload). */
  readonly remote: { readonly name: string; readonly push: string; readonly pull: string };
  readonly platforms: readonly string[];
  readonly strategy: Strategy;
}
