import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Build } from '../builds/build.ts';
import { createNotify, type NotifyOptions } from './notify.ts';

const build = { tag: 'test-my-thing-72a32c', state: 'succeeded' } as Build;

interface Received {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let server: Server;
let received: Received[] = [];
let reports: string[] = [];
/** What the server answers, one after the other; the last one again and again. `hang` answers nothing. */
let answers: (number | 'hang')[] = [];

beforeEach(async () => {
  received = [];
  reports = [];
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (piece: Buffer) => {
      body += piece.toString();
    });
    request.on('end', () => {
      received.push({ path: request.url ?? '', headers: request.headers, body });
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      if (answer === 'hang') return;
      response.writeHead(answer ?? 204, { location: '/elsewhere' }).end('thanks');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function notify(changes: Partial<NotifyOptions> = {}) {
  const { port } = server.address() as AddressInfo;
  const target = { url: `http://127.0.0.1:${port}/hook`, secret: { env: 'HOOK_SECRET' } };
  return createNotify({
    configuration: {
      notify: {
        team: { ...target, on: ['started', 'finished'] },
        quiet: { ...target, on: ['finished'] },
      },
    },
    environment: { HOOK_SECRET: "It's a Secret to Everybody" },
    report: (text) => reports.push(text),
    ...{ retryDelay: 5, timeout: 2000, ...changes },
  });
}

test('posts event and build as JSON, signed with the secret of the target', async () => {
  answers = [204];
  await notify()(build, ['team'], 'started');
  expect(received).toHaveLength(1);
  const [{ path, headers, body }] = received as [Received];
  expect(path).toBe('/hook');
  expect(JSON.parse(body)).toEqual({ event: 'started', build });
  const signature = createHmac('sha256', "It's a Secret to Everybody").update(body).digest('hex');
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    'x-tributary-signature-256': `sha256=${signature}`,
    'x-tributary-delivery': expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
});

test('tries again where the target fails twice, with the same delivery', async () => {
  answers = [500, 503, 200];
  await notify()(build, ['team'], 'finished');
  expect(received).toHaveLength(3);
  expect(new Set(received.map(({ headers }) => headers['x-tributary-delivery'])).size).toBe(1);
  expect(new Set(received.map(({ body }) => body)).size).toBe(1);
  expect(reports).toEqual([]);
});

test('two notifications are two deliveries', async () => {
  answers = [204];
  await notify()(build, ['team'], 'started');
  await notify()(build, ['team'], 'finished');
  expect(new Set(received.map(({ headers }) => headers['x-tributary-delivery'])).size).toBe(2);
});

test('gives up after six tries, reports it, and does not throw', async () => {
  answers = [500];
  await notify({ retryDelay: 1 })(build, ['team'], 'finished');
  expect(received).toHaveLength(6);
  expect(reports).toEqual([expect.stringMatching(/team.*test-my-thing-72a32c finished.*500/)]);
});

test.for([[301], [302], [400], [404]])(
  'does not try again, and follows nothing, after %i',
  async ([status]) => {
    answers = [status as number];
    await notify()(build, ['team'], 'finished');
    expect(received.map(({ path }) => path)).toEqual(['/hook']);
    expect(reports).toEqual([expect.stringContaining(String(status))]);
  },
);

test('a target that never answers is given up on', async () => {
  answers = ['hang', 'hang', 204];
  await notify({ timeout: 50 })(build, ['team'], 'finished');
  expect(received).toHaveLength(3);
  expect(reports).toEqual([]);
});

test('a target that is not there is reported', async () => {
  const closed = notify({ retryDelay: 1 });
  await new Promise((resolve) => server.close(resolve));
  await closed(build, ['team'], 'finished');
  expect(reports).toEqual([expect.stringContaining('ECONNREFUSED')]);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

test('a target is told only of what it asked for, and each target once', async () => {
  answers = [204];
  await notify()(build, ['quiet', 'unknown'], 'started');
  expect(received).toEqual([]);
  await notify()(build, ['quiet', 'quiet'], 'finished');
  expect(received).toHaveLength(1);
});

test('a secret that is not there is reported, and nothing is sent unsigned', async () => {
  await notify({ environment: {} })(build, ['team'], 'finished');
  expect(received).toEqual([]);
  expect(reports).toEqual([expect.stringContaining('HOOK_SECRET')]);
});

test('a service that stops does not wait for the next try', async () => {
  answers = [500];
  const stop = new AbortController();
  const telling = notify({ retryDelay: 60_000, signal: stop.signal })(build, ['team'], 'finished');
  while (received.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  stop.abort(new Error('the service stops'));
  await telling;
  expect(received).toHaveLength(1);
  expect(reports).toEqual([expect.stringContaining('the service stops')]);
});
