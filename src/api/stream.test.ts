import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { exampleBuild, FakeService } from '../../test/support/fake-service.ts';
import type { BuildEvent } from '../builds/event.ts';
import { ok } from '../builds/result.ts';
import { createApp } from './app.ts';
import { createMetrics } from './metrics.ts';
import type { App } from './parts.ts';

const path = `/api/builds/${exampleBuild.tag}`;
const told: BuildEvent[] = (['queued', 'started'] as const).map((kind, index) => ({
  kind,
  id: `1/build/${kind}`,
  at: `2026-11-23T10:00:0${index}Z`,
  attempt: 1,
}));
const end: BuildEvent = {
  kind: 'succeeded',
  id: '1/build/succeeded',
  at: '2026-11-23T10:00:09Z',
  attempt: 1,
};

let service: FakeService;
let closing: AbortController;
let app: App;
let url: string;

beforeEach(async () => {
  service = new FakeService();
  service.told = told;
  closing = new AbortController();
  app = await createApp({
    service,
    git: { advertise: async () => undefined, uploadPack: async () => undefined },
    metrics: createMetrics(async () => ({ queued: 0, running: 0 })),
    hosts: [],
    closing: closing.signal,
    heartbeat: 20,
  });
  url = await app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(() => app.close());

async function open(from: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const request = get(`${url}${from}`, { headers });
  // What breaks off is what the tests are about.
  request.on('error', () => {});
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.setEncoding('utf8').on('error', () => {});
  return response;
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of response) text += piece;
  return text;
}

/** Reads until `pattern` is there; what follows stays unread. */
function readUntil(response: IncomingMessage, pattern: RegExp): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    response.on('data', (piece: string) => {
      text += piece;
      if (pattern.test(text)) resolve(text);
    });
  });
}

function running(): { tell(event: BuildEvent): void } {
  service.build = { ...exampleBuild, state: 'running' };
  let tell: (event: BuildEvent) => void = () => {};
  service.more = new Promise((resolve) => {
    tell = (event) => resolve([event]);
  });
  return { tell: (event) => tell(event) };
}

test('past events come at once, live ones when they happen, and the stream ends with the build', async () => {
  const { tell } = running();
  const response = await open(`${path}/events`);
  expect(response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
  const past = await readUntil(response, /started"/);
  expect(past).toMatch(/\nid: \S+\nevent: queued\ndata: \{"kind":"queued","id":"1\/build\/queued"/);
  expect(past).not.toContain('succeeded');
  const rest = readUntil(response, /succeeded"/);
  const ended = once(response, 'end');
  tell(end);
  expect(await rest).toContain('event: succeeded\n');
  await ended;
});

test('silence is filled with comments', async () => {
  running();
  const response = await open(`${path}/events`);
  expect(await readUntil(response, /(: heartbeat\n\n){3}/)).toContain('retry: 2000');
  response.destroy();
});

/** The ids that a reader of the whole stream is sent. */
async function idsOf(): Promise<readonly string[]> {
  const text = await textOf(await open(`${path}/events`));
  return [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id ?? '');
}

test.for([
  ['Last-Event-ID', '', true],
  ['?after', '?after=ID', false],
  ['Last-Event-ID before ?after', '?after=x', true],
] as const)('a reader resumes after the event it saw last: %s', async ([, query, header]) => {
  const [first = ''] = await idsOf();
  const headers: Record<string, string> = header ? { 'last-event-id': first } : {};
  const text = await textOf(await open(`${path}/events${query.replace('ID', first)}`, headers));
  expect([...text.matchAll(/^event: (.*)$/gm)].map(([, kind]) => kind)).toEqual(['started']);
});

test.for(['1/build/queued', '7', '%00', '1.x.y.z.'])(
  'a reader who resumes after what was never sent as an id is told everything: %s',
  async (id) => {
    const text = await textOf(await open(`${path}/events`, { 'last-event-id': id }));
    expect([...text.matchAll(/^event: (.*)$/gm)].map(([, kind]) => kind)).toEqual([
      'queued',
      'started',
    ]);
  },
);

test('a reader who saw the end of a build is told by 204 to stop asking', async () => {
  const last = (await idsOf()).at(-1) ?? '';
  const response = await open(`${path}/events`, { 'last-event-id': last });
  expect([response.statusCode, await textOf(response)]).toEqual([204, '']);
});

test('a reader who goes away frees what it held', async () => {
  running();
  const response = await open(`${path}/events`);
  await readUntil(response, /started"/);
  expect(service.endedStreams).toBe(0);
  response.destroy();
  await vi.waitFor(() => expect(service.endedStreams).toBe(1), 10_000);
});

test('the end of the service ends streams, and no connection holds it up', async () => {
  running();
  const response = await open(`${path}/events`);
  await readUntil(response, /started"/);
  const ended = once(response, 'close');
  closing.abort();
  await ended;
  await app.close();
  expect(service.endedStreams).toBe(1);
});

test('a slow reader slows the log down: it is not gathered in memory', async () => {
  let given = 0;
  service.log = async () =>
    ok(
      Readable.from(
        (async function* () {
          for (; given < 2000; given += 1) yield 'x'.repeat(64 * 1024);
        })(),
      ),
    );
  const response = await open(`${path}/steps/prepare/log`);
  response.pause();
  await new Promise((resolve) => setTimeout(resolve, 300));
  // Buffers of both sockets and a little more; all of it would be 2000.
  expect(given).toBeLessThan(500);
  response.destroy();
});

test('a log follows its step until it ends', async () => {
  let more: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    more = resolve;
  });
  service.log = async () =>
    ok(
      (async function* () {
        yield 'first\n';
        await gate;
        yield 'last\n';
      })(),
    );
  const response = await open(`${path}/steps/prepare/log`);
  expect(await readUntil(response, /first/)).toBe('first\n');
  const rest = readUntil(response, /last/);
  more();
  expect(await rest).toBe('last\n');
});
