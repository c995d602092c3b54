import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  exampleBuild,
  FakeService,
  failure,
  newVouching,
} from '../../test/support/fake-service.ts';
import { createApp } from '../api/app.ts';
import { createMetrics } from '../api/metrics.ts';
import type { App } from '../api/parts.ts';
import type { Service } from '../api/service.ts';
import type { BuildEvent } from '../builds/event.ts';
import { demand } from '../builds/failure.ts';
import { createRemoteService } from './remote-service.ts';

const tag = exampleBuild.tag;
const never = new AbortController().signal;
const body = { name: 'n', components: { 'tektoncd/pipeline': 'tektoncd/pipeline#4638' } };

let behind: FakeService;
let app: App;
let remote: ReturnType<typeof createRemoteService>;

beforeEach(async () => {
  behind = new FakeService();
  app = await createApp({
    service: behind,
    git: { advertise: async () => undefined, uploadPack: async () => undefined },
    metrics: createMetrics(async () => ({ queued: 0, running: 0 })),
    hosts: [],
    closing: new AbortController().signal,
  });
  remote = createRemoteService(await app.listen({ host: '127.0.0.1', port: 0 }));
});
afterEach(async () => {
  await remote[Symbol.asyncDispose]();
  await app.close();
});

describe('over HTTP a service answers as in the same process', () => {
  const calls: Readonly<Record<string, (service: Service) => Promise<unknown>>> = {
    submit: (service) => service.submit(body, 'ada'),
    plan: (service) => service.plan(body, never),
    get: (service) => service.get(tag),
    'get of no build': (service) => service.get('other-000000'),
    'get of a strange tag': (service) => service.get('../../healthz'),
    list: (service) => service.list({ limit: 3, component: 'tektoncd/pipeline' }, 'ada'),
    install: (service) => service.install(tag),
    components: (service) => service.components(),
    'cancel of a finished build': (service) => service.cancel(tag),
    rerun: (service) => service.rerun(tag, { rebuild: true, requester: 'ada' }),
    approve: (service) =>
      service.approve({ ref: 'tektoncd/pipeline#4638', commit: 'a'.repeat(40) }, 'ada'),
    'approve what is no commit': (service) =>
      service.approve({ ref: 'tektoncd/pipeline#4638', commit: 'a' }, 'ada'),
    approvals: (service) => service.approvals(),
    'withdraw what is not approved': (service) => service.withdraw('a/../b'),
    'log of no step': (service) => service.log(tag, 'image/none', false, never),
    'events of no build': (service) => service.events('other-000000', never),
  };
  test.for(Object.keys(calls))('%s', async (name) => {
    const call = calls[name];
    const there = await call?.(behind);
    behind.vouching = newVouching();
    expect(await call?.(remote)).toEqual(there);
  });

  test('all failures of a request', async () => {
    behind.failures = [
      failure('bad-name', { pointer: '/name' }),
      failure('bad-ref', { about: { files: ['a'] } }),
    ];
    expect(await remote.submit(body, 'ada')).toEqual({ ok: false, failures: behind.failures });
  });

  test('who asks, and what for', async () => {
    await remote.submit(body, 'ada');
    await remote.list({ limit: 3, state: 'failed', after: 'a b' }, 'ada');
    await remote.list({ limit: 3, mine: true }, 'joan');
    await remote.rerun(tag, { rebuild: true, requester: 'eve' });
    expect([behind.requesters, behind.bodies, behind.reruns]).toEqual([
      ['ada', 'joan'],
      [body],
      [{ rebuild: true, requester: 'eve' }],
    ]);
    expect(behind.queries).toEqual([
      { limit: 3, state: 'failed', after: 'a b' },
      { limit: 3, mine: true },
    ]);
  });

  test('the log of a step', async () => {
    const log = demand(await remote.log(tag, 'image/openshift-pipelines-controller', true, never));
    expect((await gather(log)).join('')).toBe(
      'log of image/openshift-pipelines-controller\ndone\n',
    );
  });
});

describe('events', () => {
  const event = (kind: 'queued' | 'started' | 'failed' | 'succeeded', attempt = 1): BuildEvent =>
    ({
      kind,
      id: `${attempt}/build/${kind}`,
      at: '2026-11-23T10:00:00Z',
      attempt,
      ...(kind === 'failed' ? { failures: [failure('image-build-failed')] } : {}),
    }) as BuildEvent;

  /** A server whose event stream breaks off as told; each stream notes where it was resumed. */
  async function breaking(
    streams: readonly (readonly BuildEvent[] | 'refuse' | 'foreign' | 204 | 404)[],
  ) {
    const resumed: (string | undefined)[] = [];
    const listener: RequestListener = (request, response) => {
      resumed.push(request.headers['last-event-id'] as string | undefined);
      const stream = streams[resumed.length - 1] ?? 204;
      if (stream === 'refuse') return void request.socket.destroy();
      if (stream === 204) return void response.writeHead(204).end();
      if (stream === 'foreign') return void response.writeHead(404).end('no route');
      if (stream === 404)
        return void response
          .writeHead(404)
          .end(JSON.stringify({ problems: [failure('build-not-found')] }));
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const text = stream
        .map((each) => `id: after ${each.id}\ndata: ${JSON.stringify(each)}\n\n`)
        .join('');
      // Half an event is left behind, as a killed server does.
      response.write(`: heartbeat\n\n${text}id: 9\ndata: {"ki`, () => request.socket.destroy());
    };
    const server: Server = createServer(listener).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const service = createRemoteService(
      `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    );
    return {
      resumed,
      service,
      async [Symbol.asyncDispose]() {
        await service[Symbol.asyncDispose]();
        server.close();
      },
    };
  }

  async function kinds(service: Service): Promise<string[]> {
    const events = demand(await service.events(tag, never));
    return (await gather(events)).map(({ kind, attempt }) => `${attempt} ${kind}`);
  }

  test('go on where the connection broke, over a restart too', async () => {
    await using server = await breaking([
      [event('queued'), event('started')],
      'refuse',
      [event('failed'), event('queued', 2)],
      [event('succeeded', 2)],
    ]);
    expect(await kinds(server.service)).toEqual([
      '1 queued',
      '1 started',
      '1 failed',
      '2 queued',
      '2 succeeded',
    ]);
    // The last stream broke off as well: only 204 tells that nothing more comes.
    expect(server.resumed).toEqual([
      undefined,
      'after 1/build/started',
      'after 1/build/started',
      'after 2/build/queued',
      'after 2/build/succeeded',
    ]);
  });

  test('go on after the end of an attempt that was run again', async () => {
    await using server = await breaking([
      [event('failed'), event('queued', 2), event('started', 2)],
      [event('succeeded', 2)],
    ]);
    expect(await kinds(server.service)).toEqual([
      '1 failed',
      '2 queued',
      '2 started',
      '2 succeeded',
    ]);
  });

  test('end where the server says that nothing follows', async () => {
    await using server = await breaking([[event('queued')], 204]);
    expect(await kinds(server.service)).toEqual(['1 queued']);
  });

  test('fail with what the server says where the build is gone', async () => {
    await using server = await breaking([[event('queued')], 'refuse', 'foreign', 404]);
    await expect(kinds(server.service)).rejects.toMatchObject({
      failures: [{ reason: 'build-not-found' }],
    });
  });

  test('end for a watcher who leaves', async () => {
    behind.build = { ...exampleBuild, state: 'running' };
    behind.told = [event('queued')];
    behind.more = new Promise(() => {});
    const leaving = new AbortController();
    const events = demand(await remote.events(tag, leaving.signal));
    const seen: string[] = [];
    const watching = (async () => {
      for await (const each of events) {
        seen.push(each.kind);
        leaving.abort();
      }
    })();
    await expect(watching).rejects.toThrow();
    expect(seen).toEqual(['queued']);
  });
});

async function gather<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const gathered: Value[] = [];
  for await (const value of values) gathered.push(value);
  return gathered;
}

test.for([
  ['nobody listens', 'http://127.0.0.1:9', 'does not answer'],
  ['another program answers', 'other', 'answered with status 404, and not as Tributary does'],
] as const)('%s: the failure says so', async ([, base, text]) => {
  const other = createServer((_request, response) => response.writeHead(404).end('nope')).listen(
    0,
    '127.0.0.1',
  );
  await new Promise((resolve) => other.once('listening', resolve));
  const url = base === 'other' ? `http://127.0.0.1:${(other.address() as AddressInfo).port}` : base;
  await using service = createRemoteService(url);
  const outcome = await service.get(tag);
  other.close();
  expect(outcome).toMatchObject({
    ok: false,
    failures: [{ reason: 'server-unavailable', detail: expect.stringContaining(text) }],
  });
});
