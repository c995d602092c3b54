import { z } from 'zod';
import { sendOutcome } from '../answer-errors.ts';
import { problems } from '../describe-api.ts';
import type { App, AppParts } from '../parts.ts';
import { RequesterHeaders, requesterOf } from '../requester-of.ts';
import { Approval, ApprovalBody, ApprovalList, Approved } from '../schema.ts';

/** Vouching for commits, listing what is vouched for, and taking it back. */
export function approvalRoutes(app: App, { service }: AppParts): void {
  const tags = ['approvals'];
  app.post(
    '/api/approvals',
    {
      schema: {
        operationId: 'approve',
        tags,
        summary: 'Approve a commit',
        description:
          'Exactly this commit, under whichever ref it is asked for: what is pushed to the ref later is not approved. 200: it was approved before.',
        headers: RequesterHeaders,
        body: ApprovalBody,
        response: { 200: Approved, 201: Approved, ...problems(413, 415, 422) },
      },
    },
    async (request, reply) => {
      const outcome = await service.approve(request.body, requesterOf(request));
      if (outcome.ok && outcome.value.outcome === 'created') reply.code(201);
      return sendOutcome(request, reply, outcome);
    },
  );

  app.get(
    '/api/approvals',
    {
      schema: {
        operationId: 'listApprovals',
        tags,
        summary: 'List approved commits, newest first',
        response: { 200: ApprovalList, ...problems() },
      },
    },
    async (request, reply) => sendOutcome(request, reply, await service.approvals()),
  );

  app.delete(
    '/api/approvals/:commit',
    {
      schema: {
        operationId: 'withdrawApproval',
        tags,
        summary: 'Withdraw an approval',
        description: 'Builds that run go on; the commit is not built again.',
        params: z.object({ commit: z.string().describe('Its 40 hex digits.') }),
        response: { 200: Approval, ...problems(404, 413, 415) },
      },
    },
    async (request, reply) =>
      sendOutcome(request, reply, await service.withdraw(request.params.commit)),
  );
}
