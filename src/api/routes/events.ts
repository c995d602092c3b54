import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { Bookmark } from '../../builds/bookmark.ts';
import type { BuildEvent } from '../../builds/event.ts';
import { sendFailures } from '../answer-errors.ts';
import { problems } from '../describe-api.ts';
import type { App, AppParts } from '../parts.ts';
import { signalOf } from '../signal-of.ts';
import { tagParams } from './builds.ts';

/** Of a stream of events, OpenAPI 3.1 describes each. */
const SentEvent = z.object({
  id: z
    .string()
    .describe('What a reader sends back to resume; opaque. The event’s own id is in `data`.'),
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
          'Server-sent events: all past ones, then live ones until the build ends. `data` is a BuildEvent. A reader resumes with the `id` that it was sent last as `Last-Event-ID` (or `after`), and is told by 204 when nothing will follow. Replicas may tell in another order what happened at once in several pods; the `id` says all that was told before it, so whichever of them answers tells the rest: nothing is missed and nothing told again. Whoever sends what is no such `id` is told everything.',
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
      const events = await service.events(tag, signal);
      if (!events.ok) return sendFailures(request, reply, events.failures);
      const iterator = untold(events.value, new Bookmark(after));

      // An EventSource asks again whenever a stream ends; only 204 makes it stop.
      const ended = !['queued', 'running'].includes(build.value.state);
      const first = ended ? await iterator.next() : undefined;
      if (first?.done === true) return reply.code(204).send(null);
      reply.header('x-accel-buffering', 'no').type('text/event-stream; charset=utf-8');
      return reply.send(Readable.from(writeEvents(iterator, first, signal, heartbeat)));
    },
  );
}

interface Sent {
  /** Says what was told up to it, it included. */
  readonly id: string;
  readonly event: BuildEvent;
}

async function* untold(
  events: AsyncIterable<BuildEvent>,
  bookmark: Bookmark,
): AsyncGenerator<Sent, undefined> {
  for await (const event of events)
    if (bookmark.tell(event)) yield { id: bookmark.toString(), event };
}

async function* writeEvents(
  events: AsyncIterator<Sent, undefined>,
  first: IteratorResult<Sent, undefined> | undefined,
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
      const { id, event } = result.value;
      yield `id: ${id}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;
      next = events.next();
    }
  } finally {
    await events.return?.();
  }
}

async function nextOrSilence(
  next: Promise<IteratorResult<Sent, undefined>>,
  heartbeat: number,
  signal: AbortSignal,
): Promise<IteratorResult<Sent, undefined> | 'silence' | 'gone'> {
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
