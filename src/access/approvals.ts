import type { Failure, Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import { type CommitSha, parseCommitSha } from '../plan/names.ts';
import { quote } from '../request/quote.ts';
import { parseRef, renderRef } from '../request/ref.ts';

/** Somebody vouches for a commit: for exactly this SHA, under whichever ref it is asked for. */
export interface Approval {
  readonly commit: CommitSha;
  /** The ref under which it was looked at, for people. */
  readonly ref: string;
  readonly by: string;
  /** RFC 3339. */
  readonly at: string;
}

/** Where approvals are kept; at most one for a commit. */
export interface Approvals {
  find(commit: CommitSha): Promise<Approval | undefined>;
  /** Keeps it, or gives the one that is there already. */
  add(approval: Approval): Promise<{ readonly added: boolean; readonly approval: Approval }>;
  /** Newest first. */
  list(): Promise<readonly Approval[]>;
  /** The approval that was taken away; undefined where there was none. */
  remove(commit: CommitSha): Promise<Approval | undefined>;
}

/** What is approved: a commit, and the ref under which it was looked at. */
export interface Approvable {
  readonly ref: string;
  readonly commit: CommitSha;
}

/** Reads a commit and its ref as somebody wrote them; the ref comes back in its shortest spelling. */
export function parseApprovable(ref: string, commit: string): Outcome<Approvable> {
  const sha = parseCommitSha(commit.toLowerCase());
  const parsed = parseRef(ref);
  if (!parsed.ok) return failed({ ...parsed.failures[0], pointer: '/ref' });
  if (sha === undefined) return failed({ ...notWhole(commit), pointer: '/commit' });
  return ok({ ref: renderRef(parsed.value), commit: sha });
}

/** `REF@SHA` as a command line gives it; `owner/repo@SHA` is the commit of that repository. */
export function splitApprovable(text: string): { readonly ref: string; readonly commit: string } {
  const at = text.lastIndexOf('@');
  return at < 0
    ? { ref: text, commit: '' }
    : { ref: text.slice(0, at), commit: text.slice(at + 1) };
}

function notWhole(commit: string): Failure {
  return {
    reason: 'bad-request',
    detail:
      commit === ''
        ? 'No commit is named.'
        : `${quote(commit)} is no whole commit: that has 40 hex digits.`,
    hint: 'Exactly one commit is approved: tributary approve tektoncd/pipeline#4638@SHA with all its 40 digits, as the refusal of the build shows them.',
  };
}
