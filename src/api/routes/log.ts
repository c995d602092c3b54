import { Readable } from 'node:stream';
import { z } from 'zod';
import { sendFailures } from '../answer-errors.ts';
import { problems, text } from '../describe-api.ts';
import type { App, AppParts } from '../parts.ts';
import { signalOf } from '../signal-of.ts';

/** The log of a step as text, following while it runs. */
export function logRoutes(app: App, { service, closing }: AppParts): void {
  app.get(
    '/api/builds/:tag/steps/*',
    {
      schema: {
        operationId: 'readLog',
        tags: ['builds'],
        summary: "Read a step's log",
        description:
          'Text of the latest attempt; while the step runs, the answer goes on until it ends (`follow=false`: what is there now). The id of a step holds slashes: `/steps/image/x/log`.',
        params: z.object({
          tag: z.string().describe('Tag of a build.'),
          // `step` in the description; its slashes make it a wildcard, together with the `/log` behind it.
          '*': z.string().describe('Id of a step, such as `image/openshift-pipelines-controller`.'),
        }),
        querystring: z.object({ follow: z.enum(['true', 'false']).default('true') }),
        response: { 200: text('text/plain', 'The log.'), ...problems(404) },
      },
    },
    async (request, reply) => {
      const rest = request.params['*'];
      const step = rest.endsWith('/log') ? rest.slice(0, -'/log'.length) : '';
      if (step === '') return reply.callNotFound();
      const follow = request.query.follow === 'true';
      const log = await service.log(request.params.tag, step, follow, signalOf(reply, closing));
      if (!log.ok) return sendFailures(request, reply, log.failures);
      return reply.type('text/plain; charset=utf-8').send(Readable.from(log.value));
    },
  );
}
