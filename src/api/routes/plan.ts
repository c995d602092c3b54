import { RequestBody } from '../../request/request-body.ts';
import { sendOutcome } from '../answer-errors.ts';
import { problems } from '../describe-api.ts';
import type { App, AppParts } from '../parts.ts';
import { Components, PlanAnswer } from '../schema.ts';
import { signalOf } from '../signal-of.ts';

/** What a build would do, and what can be asked for. */
export function planRoutes(app: App, { service, closing }: AppParts): void {
  app.post(
    '/api/plan',
    {
      schema: {
        operationId: 'plan',
        tags: ['builds'],
        summary: 'Say what a build would do',
        description:
          'The same body as a build; nothing is built. Conflicts and patches that do not apply are answered at once.',
        body: RequestBody,
        response: { 200: PlanAnswer, ...problems(409, 413, 415, 422, 502, 504) },
      },
    },
    async (request, reply) =>
      sendOutcome(request, reply, await service.plan(request.body, signalOf(reply, closing))),
  );

  app.get(
    '/api/components',
    {
      schema: {
        operationId: 'listComponents',
        tags: ['product'],
        summary: 'List what can be asked for',
        response: { 200: Components, ...problems() },
      },
    },
    async (request, reply) => sendOutcome(request, reply, await service.components()),
  );
}
