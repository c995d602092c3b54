import { attempt } from '../../builds/failure.ts';
import { openProblems, text } from '../describe-api.ts';
import type { App, AppParts, Guard } from '../parts.ts';
import { Readiness } from '../schema.ts';

/** Whether the service lives, whether it can work, and what it has done so far. */
export function healthRoutes(app: App, { service, metrics, closing, guard }: AppParts): void {
  const tags = ['service'];
  app.get(
    '/healthz',
    {
      schema: {
        operationId: 'healthz',
        tags,
        summary: 'Whether the service lives',
        response: { 200: text('text/plain', '`ok`'), ...openProblems() },
      },
    },
    async (_request, reply) => reply.type('text/plain; charset=utf-8').send('ok\n'),
  );

  app.get(
    '/readyz',
    {
      schema: {
        operationId: 'readyz',
        tags,
        summary: 'Whether the service can work',
        response: {
          200: Readiness,
          503: {
            description: 'It cannot, and why.',
            content: { 'application/json': { schema: Readiness } },
          },
          ...openProblems(),
        },
      },
    },
    async (_request, reply) => {
      const readiness = await service.readiness();
      const serving = {
        name: 'service',
        ok: !closing.aborted,
        detail: closing.aborted ? 'is ending' : 'takes requests',
      };
      const own = [serving, ...(guard === undefined ? [] : [await checkOf(guard)])];
      const answer = {
        ready: readiness.ready && own.every(({ ok }) => ok),
        checks: [...own, ...readiness.checks],
      };
      return reply.code(answer.ready ? 200 : 503).send(answer);
    },
  );

  app.get(
    '/metrics',
    {
      schema: {
        operationId: 'metrics',
        tags,
        summary: 'Metrics for Prometheus',
        response: { 200: text('text/plain', 'Text exposition format 0.0.4.'), ...openProblems() },
      },
    },
    async (_request, reply) =>
      reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
}

/** Without the cluster's word the service does nothing for anybody. */
async function checkOf({ access }: Guard) {
  const asked = await attempt(() => access.identify('whether tokens can be reviewed'));
  const detail = asked.ok ? 'the cluster says who may do what' : asked.failures[0].detail;
  return { name: 'access', ok: asked.ok, detail };
}
