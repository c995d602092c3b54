import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { BuildEvent } from '../../builds/event.ts';
import { sendFailures } from '../answer-errors.ts';
import { problems } from '../describe-api.ts';
import type { App, AppParts } from '../parts.ts';
import { signalOf } from '../signal-of.ts';
import { tagParams } from './builds.ts';

/** Of a stream of events, OpenAPI 3.1 describes each. */
const SentEvent = z.object({
  id: z.string(),
  event: z.string().describe('The kind of the event.'),
  data: z.string().describe('A BuildEvent.').meta({ contentMediaType: 'application/json' }),
});

/** The events of a build as they happen (server-sent events, WHATWG HTML). */
export function eventRoutes(app: App, { service, closing, heartbeat = 15_000 }: AppParts): void {
  app.get(
    '/api/builds/:tag/events',
    {
      schema: {
        operationId: 'followBuild',
        tags: ['builds'],
        summary: 'Follow a build',
        description:
          'Server-sent events: all past ones, then live ones until the build ends. `data` is a BuildEvent. A reader resumes with `Last-Event-ID` (or `after`), and is told by 204 when nothing will follow. Replicas may tell in another order what happened at once in several pods: who resumes at another one and must miss nothing reads all events, and leaves out the ids that it has.',
        params: tagParams,
        querystring: z.object({ after: z.string().optional().describe('As `Last-Event-ID`.') }),
        headers: z.object({ 'last-event-id': z.string().optional() }),
        response: {
          200: {
            description: 'Events.',
            content: { 'text/event-stream': { schema: SentEvent as z.ZodType<unknown> } },
          },
          204: z.null().describe('The build has ended, and all its events were read.'),
          ...problems(404),
        },
      },
    },
    async (request, reply) => {
      const { tag } = request.params;
      const after = request.headers['last-event-id'] || request.query.after;
      const signal = signalOf(reply, closing);
      const build = await service.get(tag);
      if (!build.ok) return sendFailures(request, reply, build.failures);
      const events = await service.events(tag, after, signal);
      if (!events.ok) return sendFailures(request, reply, events.failures);
      const iterator = events.value[Symbol.asyncIterator]();

      // An EventSource asks again whenever a stream ends; only 204 makes it stop.
      const ended = !['queued', 'running'].includes(build.value.state);
      const first = ended ? await iterator.next() : undefined;
      if (first?.done === true) return reply.code(204).send(null);
      reply.header('x-accel-buffering', 'no').type('text/event-stream; charset=utf-8');
      return reply.send(Readable.from(writeEvents(iterator, first, signal, heartbeat)));
    },
  );
}

async function* writeEvents(
  events: AsyncIterator<BuildEvent>,
  first: IteratorResult<BuildEvent> | undefined,
  signal: AbortSignal,
  heartbeat: number,
): AsyncGenerator<string> {
  yield 'retry: 2000\n\n';
  try {
    let next = first === undefined ? events.next() : Promise.resolve(first);
    for (;;) {
      const result = await nextOrSilence(next, heartbeat, signal);
      if (result === 'gone') return;
      if (result === 'silence') {
        yield ': heartbeat\n\n';
        continue;
      }
      if (result.done) return;
      yield `id: ${result.value.id}\nevent: ${result.value.kind}\ndata: ${JSON.stringify(result.value)}\n\n`;
      next = events.next();
    }
  } finally {
    await events.return?.();
  }
}

async function nextOrSilence(
  next: Promise<IteratorResult<BuildEvent>>,
  heartbeat: number,
  signal: AbortSignal,
): Promise<IteratorResult<BuildEvent> | 'silence' | 'gone'> {
  if (signal.aborted) return 'gone';
  const timer = new AbortController();
  try {
    return await Promise.race([
      next,
      sleep(heartbeat, 'silence' as const, {
        signal: AbortSignal.any([timer.signal, signal]),
      }).catch(() => 'gone' as const),
    ]);
  } finally {
    timer.abort();
  }
}
