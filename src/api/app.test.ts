import { Readable } from 'node:stream';
import type { InjectOptions } from 'fastify';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exampleBuild, FakeService, failure } from '../../test/support/fake-service.ts';
import { createApp } from './app.ts';
import { createMetrics } from './metrics.ts';
import type { App, GitExport } from './parts.ts';
import * as schema from './schema.ts';

let service: FakeService;
let closing: AbortController;
let app: App;

const git: GitExport = {
  advertise: async ({ owner, repo }) =>
    owner === 'tektoncd' && repo === 'pipeline' ? Readable.from(['refs']) : undefined,
  uploadPack: async (_repository, protocol, request) => {
    const body = (await request.toArray()).join('');
    return Readable.from([`pack for ${body} (${protocol})`]);
  },
};

beforeEach(async () => {
  service = new FakeService();
  closing = new AbortController();
  app = await createApp({
    service,
    git,
    metrics: createMetrics(async () => ({ queued: 2, running: 1 })),
    hosts: ['build.ospqa.com'],
    closing: closing.signal,
    heartbeat: 20,
  });
});
afterEach(() => app.close());

const body = {
  name: 'test-my-thing',
  components: { 'tektoncd/pipeline': 'tektoncd/pipeline#4638' },
};

describe('asking for a build', () => {
  test.for(['/', '/api/builds', '/api/builds/'])(
    'POST %s answers 201 with tag and links',
    async (url) => {
      const answer = await app.inject({ method: 'POST', url, payload: body });
      expect(answer.statusCode).toBe(201);
      expect(answer.headers.location).toBe('http://127.0.0.1:8080/api/builds/test-my-thing-72a32c');
      expect(schema.Submitted.parse(answer.json())).toMatchObject({
        tag: 'test-my-thing-72a32c',
        pipelinerun: 'build-operator-bundle-bc98b12',
        outcome: 'created',
      });
      expect(service.bodies).toEqual([body]);
    },
  );

  test('answers 200 where the build is known', async () => {
    service.outcome = 'known';
    const answer = await app.inject({ method: 'POST', url: '/', payload: body });
    expect([answer.statusCode, answer.json().outcome]).toEqual([200, 'known']);
  });

  test.for([
    ['what curl -d says', 'application/x-www-form-urlencoded'],
    ['no media type', undefined],
    ['a charset', 'application/json; charset=utf-8'],
    ['a JSON dialect', 'application/merge-patch+json'],
  ] as const)('reads a JSON body under %s', async ([, type]) => {
    const answer = await app.inject({
      method: 'POST',
      url: '/',
      payload: Buffer.from(JSON.stringify(body)),
      headers: type === undefined ? {} : { 'content-type': type },
    });
    expect(answer.statusCode).toBe(201);
    expect(service.bodies).toEqual([body]);
  });

  test.for([
    ['a comma too many', '{"name": "a",\n}', 'line 2, column 1'],
    ['a body that just ends', '{"name": "a"', 'line 1, column 13'],
    ['a form', 'name=a', 'line 1, column'],
  ] as const)('tells where %s is', async ([, payload, place]) => {
    const answer = await app.inject({
      method: 'POST',
      url: '/',
      payload,
      headers: { 'content-type': 'application/json' },
    });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({
      reason: 'bad-request',
      detail: expect.stringContaining(place),
    });
  });

  test('records who says to ask, and nothing that is no name', async () => {
    const ask = (requester: string) =>
      app.inject({
        method: 'POST',
        url: '/',
        payload: body,
        headers: { 'x-tributary-requester': requester },
      });
    await ask('ada');
    await ask('<script>');
    expect(service.requesters).toEqual(['ada', 'anonymous']);
  });

  test('tells all problems of a request as problem details', async () => {
    service.failures = [
      failure('unknown-component', { pointer: '/components/a~1b' }),
      failure('bad-name', { pointer: '/name' }),
    ];
    const answer = await app.inject({ method: 'POST', url: '/api/builds?x=1', payload: body });
    expect(answer.statusCode).toBe(422);
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    const problem = schema.Problem.parse(answer.json());
    expect(problem).toMatchObject({
      type: 'urn:tributary:unknown-component',
      title: 'No such component',
      instance: '/api/builds',
      hint: 'hint of unknown-component',
    });
    expect(problem.problems.map(({ reason, pointer }) => [reason, pointer])).toEqual([
      ['unknown-component', '/components/a~1b'],
      ['bad-name', '/name'],
    ]);
  });
});

describe('what is refused before a route is asked', () => {
  test.for([
    ['an unknown path', { method: 'GET', url: '/nowhere' }, 404, 'not-found'],
    [
      'a step without /log',
      { method: 'GET', url: '/api/builds/t-72a32c/steps/image/x' },
      404,
      'not-found',
    ],
    [
      'another method',
      { method: 'DELETE', url: '/api/builds/t-72a32c' },
      405,
      'method-not-allowed',
    ],
    ['GET at the root', { method: 'GET', url: '/' }, 405, 'method-not-allowed'],
    [
      'a body over 64 KiB',
      { method: 'POST', url: '/', payload: { name: 'x'.repeat(65_536) } },
      413,
      'body-too-large',
    ],
    [
      'XML',
      { method: 'POST', url: '/', payload: '<a/>', headers: { 'content-type': 'text/xml' } },
      415,
      'unsupported-media-type',
    ],
    [
      'a body that is not UTF-8',
      {
        method: 'POST',
        url: '/',
        payload: Buffer.from([0x22, 0xff, 0x22]),
        headers: { 'content-type': 'application/json' },
      },
      400,
      'bad-request',
    ],
    [
      'another charset',
      {
        method: 'POST',
        url: '/',
        payload: '{}',
        headers: { 'content-type': 'application/json; charset=utf-16' },
      },
      415,
      'unsupported-media-type',
    ],
    [
      'a packed body',
      {
        method: 'POST',
        url: '/',
        payload: '{}',
        headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      },
      415,
      'unsupported-media-type',
    ],
    [
      'a filter that is none',
      { method: 'GET', url: '/api/builds?sate=failed' },
      400,
      'bad-request',
    ],
    ['a limit over 100', { method: 'GET', url: '/api/builds?limit=101' }, 400, 'bad-request'],
    ['an unknown state', { method: 'GET', url: '/api/builds?state=done' }, 400, 'bad-request'],
    [
      'a path that cannot be decoded',
      { method: 'GET', url: '/api/builds/%zz' },
      400,
      'bad-request',
    ],
    [
      'a rebound host name',
      { method: 'GET', url: '/healthz', headers: { host: 'evil.example:8080' } },
      403,
      'foreign-origin',
    ],
    [
      'a foreign site',
      { method: 'POST', url: '/', payload: body, headers: { origin: 'https://evil.example' } },
      403,
      'foreign-origin',
    ],
    [
      'an opaque origin',
      { method: 'POST', url: '/', payload: body, headers: { origin: 'null' } },
      403,
      'foreign-origin',
    ],
    [
      'a rerun with a strange body',
      { method: 'POST', url: '/api/builds/t-72a32c/rerun', payload: { again: 1 } },
      400,
      'bad-request',
    ],
  ] as const)('%s', async ([, request, status, reason]) => {
    const answer = await app.inject(request as InjectOptions);
    expect([answer.statusCode, schema.Problem.parse(answer.json()).reason]).toEqual([
      status,
      reason,
    ]);
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(service.bodies).toEqual([]);
  });

  test('405 says which methods are allowed', async () => {
    const answer = await app.inject({ method: 'PUT', url: '/api/builds' });
    expect([answer.statusCode, answer.headers.allow]).toEqual([405, 'GET, HEAD, POST']);
    const options = await app.inject({ method: 'OPTIONS', url: '/api/builds' });
    expect([options.statusCode, options.headers.allow]).toEqual([204, 'GET, HEAD, POST']);
  });

  test('the configured name of the service is no foreign host', async () => {
    const headers = { host: 'build.ospqa.com', origin: 'https://build.ospqa.com' };
    expect((await app.inject({ url: '/healthz', headers })).statusCode).toBe(200);
  });

  test('a bug is answered without its message, and with the id of the request', async () => {
    service.bug = new Error('secret inside');
    const answer = await app.inject({ url: '/api/components' });
    expect(answer.statusCode).toBe(500);
    expect(answer.json().reason).toBe('internal-error');
    expect(answer.body).not.toContain('secret inside');
  });

  test('every answer carries headers against browsers that guess', async () => {
    const { headers } = await app.inject({ url: '/nowhere' });
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    });
  });
});

describe('reading', () => {
  test('a build', async () => {
    const answer = await app.inject({ url: '/api/builds/test-my-thing-72a32c' });
    expect(schema.Build.parse(answer.json())).toMatchObject({
      tag: 'test-my-thing-72a32c',
      state: 'succeeded',
    });
  });

  test('no build', async () => {
    const answer = await app.inject({ url: '/api/builds/other-000000' });
    expect([answer.statusCode, answer.json().reason]).toEqual([404, 'build-not-found']);
  });

  test('a page of builds, with its filters', async () => {
    const url = '/api/builds?state=failed&name=a&component=tektoncd/pipeline&limit=3&after=x';
    const answer = await app.inject({ url });
    expect(schema.BuildPage.parse(answer.json()).builds).toHaveLength(1);
    await app.inject({ url: '/api/builds' });
    const headers = { 'x-tributary-requester': 'joan' };
    await app.inject({ url: '/api/builds?mine=true&requester=grace', headers });
    expect(service.requesters).toEqual(['joan']);
    expect(service.queries).toEqual([
      { state: 'failed', name: 'a', component: 'tektoncd/pipeline', limit: 3, after: 'x' },
      { limit: 20 },
      { limit: 20, requester: 'grace', mine: true },
    ]);
  });

  test.for([
    ['as it is', '/steps/image/openshift-pipelines-controller/log'],
    ['encoded', '/steps/image%2Fopenshift-pipelines-controller/log'],
  ])('the log of a step whose id is written %s', async ([, path]) => {
    const answer = await app.inject({ url: `/api/builds/test-my-thing-72a32c${path}` });
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(answer.body).toBe('log of image/openshift-pipelines-controller\ndone\n');
  });

  test('the log of a step that is not there', async () => {
    const answer = await app.inject({ url: '/api/builds/test-my-thing-72a32c/steps/other/log' });
    expect([answer.statusCode, answer.json().reason]).toEqual([404, 'step-not-found']);
  });

  test.for([
    [undefined, 'application/json'],
    ['*/*', 'application/json'],
    ['application/json, text/plain', 'application/json'],
    ['text/plain', 'text/plain'],
  ] as const)('how to install: Accept %s gives %s', async ([accept, type]) => {
    const answer = await app.inject({
      url: '/api/builds/test-my-thing-72a32c/install',
      headers: accept === undefined ? {} : { accept },
    });
    expect(answer.headers['content-type']).toContain(type);
    expect(answer.body).toContain('operator-sdk run bundle');
  });

  test('the plan and the components', async () => {
    const plan = await app.inject({ method: 'POST', url: '/api/plan', payload: body });
    expect(schema.PlanAnswer.parse(plan.json()).steps[0]).toMatchObject({
      id: 'image/a',
      hit: true,
    });
    const components = await app.inject({ url: '/api/components' });
    expect(schema.Components.parse(components.json()).product).toBe('demo');
  });

  test('cancel and rerun', async () => {
    const cancel = await app.inject({
      method: 'POST',
      url: '/api/builds/test-my-thing-72a32c/cancel',
    });
    expect([cancel.statusCode, cancel.json().reason]).toEqual([409, 'already-finished']);
    const rerun = await app.inject({
      method: 'POST',
      url: '/api/builds/test-my-thing-72a32c/rerun',
      payload: { rebuild: true },
    });
    expect(rerun.statusCode).toBe(201);
    await app.inject({ method: 'POST', url: '/api/builds/test-my-thing-72a32c/rerun' });
    expect(service.reruns).toEqual([
      { rebuild: true, requester: 'anonymous' },
      { rebuild: false, requester: 'anonymous' },
    ]);
  });
});

describe('the service itself', () => {
  test('healthz lives, readyz tells each check', async () => {
    expect((await app.inject({ url: '/healthz' })).body).toBe('ok\n');
    const ready = await app.inject({ url: '/readyz' });
    expect([ready.statusCode, schema.Readiness.parse(ready.json()).ready]).toEqual([200, true]);
  });

  test('readyz says no while the service ends, and where a check fails', async () => {
    service.ready = false;
    expect((await app.inject({ url: '/readyz' })).statusCode).toBe(503);
    service.ready = true;
    closing.abort();
    const answer = await app.inject({ url: '/readyz' });
    expect([answer.statusCode, answer.json().checks[0]]).toMatchObject([
      503,
      { name: 'service', ok: false },
    ]);
  });

  test('metrics count requests by route, never by path, and show the queue', async () => {
    await app.inject({ url: '/api/builds/test-my-thing-72a32c' });
    await app.inject({ url: '/made/up' });
    const { body: text } = await app.inject({ url: '/metrics' });
    expect(text).toContain(
      'tributary_http_request_seconds_count{method="GET",route="/api/builds/:tag",status="200"} 1',
    );
    expect(text).toContain('tributary_builds{state="queued"} 2');
    expect(text).not.toContain('made/up');
  });
});

describe('merged sources for git clients', () => {
  const base = '/api/builds/test-my-thing-72a32c/git/tektoncd/pipeline.git';

  test('refs are advertised for reading', async () => {
    const answer = await app.inject({ url: `${base}/info/refs?service=git-upload-pack` });
    expect([answer.headers['content-type'], answer.body]).toEqual([
      'application/x-git-upload-pack-advertisement',
      'refs',
    ]);
  });

  test('a pack is sent', async () => {
    const answer = await app.inject({
      method: 'POST',
      url: `${base}/git-upload-pack`,
      payload: 'wants',
      headers: {
        'content-type': 'application/x-git-upload-pack-request',
        'git-protocol': 'version=2',
      },
    });
    expect(answer.body).toBe('pack for wants (version=2)');
  });

  test.for([
    ['pushing', `${base}/info/refs?service=git-receive-pack`, 400],
    ['dumb HTTP', `${base}/info/refs`, 400],
    [
      'another repository',
      '/api/builds/t-000000/git/a/b.git/info/refs?service=git-upload-pack',
      404,
    ],
  ] as const)('%s is refused', async ([, url, status]) => {
    expect((await app.inject({ url })).statusCode).toBe(status);
  });
});

test('the example build is what the contract says', () => {
  expect(schema.Build.parse(exampleBuild)).toEqual(exampleBuild);
});
