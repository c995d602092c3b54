import type { FileTree } from '../plan/file-tree.ts';
import type { CommitSha, TreeSha } from '../plan/names.ts';

/** Everything that a git server says it has, in one answer. */
export interface Advertisement {
  /** Full ref name (`refs/heads/main`) → the commit it names, annotated tags peeled. */
  readonly refs: ReadonlyMap<string, CommitSha>;
  /** Branch that HEAD points to; undefined where the server does not say. */
  readonly defaultBranch: string | undefined;
}

/** Git servers, asked without a repository of our own. */
export interface GitServers {
  /** Throws FailureError: `ref-not-found` where there is no such repository, `git-unavailable`, … */
  advertisement(url: string): Promise<Advertisement>;
  /** The commit that a full object name means at `url` (tags are peeled); undefined where it has no such commit. */
  commit(url: string, sha: string): Promise<CommitSha | undefined>;
}

/** Two trees brought together: the new commit, or what stands in the way. */
export type Combination =
  | { readonly kind: 'combined'; readonly commit: CommitSha; readonly tree: TreeSha }
  | { readonly kind: 'conflict'; readonly conflicts: readonly Conflict[] }
  | { readonly kind: 'unrelated' };

/** A file on which two sides disagree; `how` in git's words: `contents`, `modify/delete`, … */
export interface Conflict {
  readonly path: string;
  readonly how: string;
}

/** What became of a patch that was tried on a tree. */
export type PatchOutcome =
  | { readonly kind: 'applied'; readonly tree: TreeSha }
  | { readonly kind: 'contained' }
  | { readonly kind: 'conflict'; readonly files: readonly string[]; readonly message: string };

/** Files of a tree, and what cannot be one. */
export interface TreeFiles {
  readonly files: FileTree;
  /** Paths of submodules: their content lies in other repositories. */
  readonly submodules: readonly string[];
}

/**
 * Our mirror of a repository and its forks: histories whole, trees and files as far as they were
 * needed. Every method throws FailureError where a server does not give what it has to.
 */
export interface Mirror {
  /** Fetches commits with all their ancestors from `url`: every other method needs its commits fetched. */
  fetch(url: string, commits: readonly CommitSha[]): Promise<void>;
  /** The nearest common ancestor; undefined where two histories share nothing. */
  mergeBase(a: CommitSha, b: CommitSha): Promise<CommitSha | undefined>;
  /** How many commits `head` has that `other` has not. */
  countAhead(head: CommitSha, other: CommitSha): Promise<number>;
  firstParent(commit: CommitSha): Promise<CommitSha | undefined>;
  /** The merge that brought `commit` into the first-parent line of `branch`; undefined where none did. */
  mergeOf(commit: CommitSha, branch: CommitSha): Promise<CommitSha | undefined>;
  treeOf(commit: CommitSha): Promise<TreeSha>;
  /** `head` merged into `base`; the same commits give the same commit on every machine. */
  merge(base: CommitSha, head: CommitSha): Promise<Combination>;
  /** What happened between `from` and `head`, as one commit on top of `onto`. */
  pick(from: CommitSha, head: CommitSha, onto: CommitSha): Promise<Combination>;
  /** All files of a tree, or only those at or below `paths`. */
  files(tree: CommitSha | TreeSha, paths?: readonly string[]): Promise<TreeFiles>;
  /** A patch tried on a tree, as `git apply` does it. */
  apply(tree: TreeSha, patch: Buffer): Promise<PatchOutcome>;
  /** A tree in which these files take the place of all that it has; its submodules stay. */
  replaceFiles(tree: TreeSha, files: FileTree): Promise<TreeSha>;
  /** The commit as git stores it (the bytes after the header), so that others can prove its tree. */
  commitObject(commit: CommitSha): Promise<Buffer>;
  /** Fetches the version tags of the repository itself (not of forks). */
  fetchTags(): Promise<void>;
  /** The nearest semver tag without its `v`, or undefined. */
  nearestVersion(commit: CommitSha): Promise<string | undefined>;
  /** A new bare repository in `folder` that serves this commit, made here, with its history, as branch `branch`. */
  export(commit: CommitSha, folder: string, branch: string): Promise<void>;
}

/** Opens mirrors, by the URL of the repository that others are forks of. */
export interface Mirrors {
  mirror(repository: string): Promise<Mirror>;
  /** {@link Mirror.export} of a commit that was exported before; false, and nothing is done, where it was not. */
  exportAgain(
    repository: string,
    commit: CommitSha,
    folder: string,
    branch: string,
  ): Promise<boolean>;
}
