import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { RequestBody } from '../../request/request-body.ts';
import { sendFailures, sendOutcome } from '../answer-errors.ts';
import { problems } from '../describe-api.ts';
import type { App, AppParts } from '../parts.ts';
import { RequesterHeaders, requesterOf } from '../requester-of.ts';
import { Build, BuildPage, BuildState, Rerun, Submitted } from '../schema.ts';

/** `tag` in a path. */
export const tagParams = z.object({ tag: z.string().describe('Tag of a build.') });

const pageQuery = z.strictObject({
  state: BuildState.optional(),
  name: z.string().optional().describe('Only builds asked for under this name.'),
  component: z.string().optional().describe('Only builds that name this component.'),
  requester: z
    .string()
    .optional()
    .describe(
      'Only builds whose latest attempt this one asked for, named as in `requester` of a build.',
    ),
  mine: z
    .enum(['true', 'false'])
    .optional()
    .describe(
      '`true`: only builds whose latest attempt the caller asked for, whatever `requester` says.',
    ),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  after: z.string().optional().describe('`next` of the page before.'),
});

/** Asking for builds, reading, listing, cancelling and rerunning them. */
export function buildRoutes(app: App, { service }: AppParts): void {
  const submit = async (request: FastifyRequest, reply: FastifyReply) => {
    const outcome = await service.submit(request.body, requesterOf(request));
    if (!outcome.ok) return sendFailures(request, reply, outcome.failures);
    const { links } = outcome.value;
    if (links !== undefined) reply.header('location', links.self);
    return reply.code(outcome.value.outcome === 'known' ? 200 : 201).send(outcome.value);
  };
  const submitSchema = {
    tags: ['builds'],
    summary: 'Ask for a build',
    description:
      'Answers when every ref is resolved; building goes on in the background. 200: the same was asked before, and this is its build (where it failed by its code: with the failure; POST to `links.rerun` tries again). 201: a run began.',
    headers: RequesterHeaders,
    body: RequestBody,
    response: {
      200: Submitted,
      201: Submitted,
      ...problems(409, 413, 415, 422, 502, 504),
    },
  };
  app.post('/', { schema: { ...submitSchema, operationId: 'submitAtRoot' } }, submit);
  app.post('/api/builds', { schema: { ...submitSchema, operationId: 'submit' } }, submit);

  app.get(
    '/api/builds',
    {
      schema: {
        operationId: 'listBuilds',
        tags: ['builds'],
        summary: 'List builds, newest first',
        headers: RequesterHeaders,
        querystring: pageQuery,
        response: { 200: BuildPage, ...problems() },
      },
    },
    async (request, reply) => {
      const { mine, ...rest } = request.query;
      const query = Object.fromEntries(
        Object.entries(rest).filter(([, value]) => value !== undefined),
      );
      const { limit } = rest;
      const page = await service.list(
        { ...query, limit, ...(mine === 'true' && { mine: true }) },
        requesterOf(request),
      );
      return sendOutcome(request, reply, page);
    },
  );

  app.get(
    '/api/builds/:tag',
    {
      schema: {
        operationId: 'getBuild',
        tags: ['builds'],
        summary: 'Read a build',
        params: tagParams,
        response: { 200: Build, ...problems(404) },
      },
    },
    async (request, reply) => sendOutcome(request, reply, await service.get(request.params.tag)),
  );

  app.post(
    '/api/builds/:tag/cancel',
    {
      schema: {
        operationId: 'cancelBuild',
        tags: ['builds'],
        summary: 'Cancel a build',
        params: tagParams,
        response: { 200: Build, ...problems(404, 409, 413, 415) },
      },
    },
    async (request, reply) => sendOutcome(request, reply, await service.cancel(request.params.tag)),
  );

  app.post(
    '/api/builds/:tag/rerun',
    {
      schema: {
        operationId: 'rerunBuild',
        tags: ['builds'],
        summary: 'Run a finished build again',
        headers: RequesterHeaders,
        params: tagParams,
        body: Rerun,
        response: { 201: Build, ...problems(404, 409, 413, 415) },
      },
    },
    async (request, reply) => {
      const body = Rerun.safeParse(request.body ?? {});
      if (!body.success) {
        return sendFailures(request, reply, [
          {
            reason: 'bad-request',
            detail: 'The body of a rerun is not usable.',
            hint: 'Send nothing, or {"rebuild": true} to use nothing that was built before.',
          },
        ]);
      }
      const outcome = await service.rerun(request.params.tag, {
        requester: requesterOf(request),
        rebuild: body.data?.rebuild ?? false,
      });
      if (outcome.ok) reply.code(201);
      return sendOutcome(request, reply, outcome);
    },
  );
}
