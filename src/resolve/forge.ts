/** What a forge knows of a pull request and git does not. */
export interface PullRequest {
  /** Its base branch. */
  readonly base: string;
  /** Path of the repository that its head lies in (`ada/pipeline`); undefined where that is gone. */
  readonly from: string | undefined;
  /** Commits that are its head now, or the forge's own test merge of it. */
  readonly commits: readonly string[];
}

/** What a forge knows and git does not. */
export interface Forge {
  /** Undefined where the forge has no such pull request. Throws FailureError where it does not answer. */
  pullRequest(
    repository: { readonly path: string },
    number: number,
  ): Promise<PullRequest | undefined>;
}

/** Forges that are configured, by host. */
export type Forges = ReadonlyMap<string, Forge>;
