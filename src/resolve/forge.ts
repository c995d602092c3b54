/** What a forge knows and git does not. */
export interface Forge {
  /**
   * The base branch of a pull request; undefined where the forge has no such pull request. Throws
   * FailureError where it does not answer.
   */
  baseBranch(repository: { readonly path: string }, number: number): Promise<string | undefined>;
}

/** Forges that are configured, by host. */
export type Forges = ReadonlyMap<string, Forge>;
