import { z } from 'zod';
import { type Approvals, parseApprovable } from '../access/approvals.ts';
import { attempt, type Failure } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import { parseCommitSha } from '../plan/names.ts';
import { quote } from '../request/quote.ts';
import { attemptOutcome } from './attempt-outcome.ts';
import type { Service } from './service.ts';

/** The part of the service that vouches for commits. */
export function createApprovalService(
  approvals: Approvals,
  now: () => Date,
): Pick<Service, 'approve' | 'approvals' | 'withdraw'> {
  return {
    approve: (body, by) =>
      attemptOutcome(async () => {
        const given = Said.safeParse(body);
        if (!given.success) return failed(noApproval);
        const read = parseApprovable(given.data.ref, given.data.commit);
        if (!read.ok) return read;
        const { added, approval } = await approvals.add({
          ...read.value,
          by,
          at: now().toISOString(),
        });
        return ok({ ...approval, outcome: added ? ('created' as const) : ('known' as const) });
      }),

    approvals: () => attempt(async () => ({ approvals: await approvals.list() })),

    withdraw: (commit) =>
      attemptOutcome(async () => {
        const sha = parseCommitSha(commit.toLowerCase());
        const removed = sha === undefined ? undefined : await approvals.remove(sha);
        return removed === undefined ? failed(noSuchApproval(commit)) : ok(removed);
      }),
  };
}

/** The shape alone: what is wrong with ref and commit is told in the words of people. */
const Said = z.strictObject({ ref: z.string(), commit: z.string() });

const noApproval: Failure = {
  reason: 'bad-request',
  detail: 'The body is no approval.',
  hint: 'Send {"ref": "tektoncd/pipeline#4638", "commit": "…"} with all 40 digits of the commit.',
};

function noSuchApproval(commit: string): Failure {
  return {
    reason: 'approval-not-found',
    detail: `The commit ${quote(commit)} is not approved.`,
    hint: 'List what is: tributary approvals, or GET /api/approvals.',
  };
}
