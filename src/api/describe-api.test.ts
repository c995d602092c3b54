import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exampleBuild, FakeService, failure } from '../../test/support/fake-service.ts';
import { createApp } from './app.ts';
import { createMetrics } from './metrics.ts';
import type { App } from './parts.ts';

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security?: readonly object[];
  readonly tags: readonly string[];
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: object }> };
  readonly responses: Record<
    string,
    { readonly description: string; readonly content?: Record<string, { schema: object }> }
  >;
}
interface Description {
  readonly openapi: string;
  readonly security: readonly object[];
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: {
    readonly securitySchemes: Record<string, object>;
    readonly schemas: Record<string, { examples?: unknown[]; example?: unknown }>;
  };
}

const service = new FakeService();
let app: App;
let description: Description;

beforeAll(async () => {
  app = await createApp({
    service,
    git: { advertise: async () => undefined, uploadPack: async () => undefined },
    metrics: createMetrics(async () => ({ queued: 0, running: 0 })),
    hosts: [],
    closing: new AbortController().signal,
  });
  description = (await app.inject({ url: '/openapi.json' })).json();
});
afterAll(() => app.close());

const operations = () =>
  Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );

/** Validates against a schema of the description, references and all. */
function problemsOf(schema: object, value: unknown): unknown {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(description, 'openapi');
  const local = JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"openapi#/'));
  const validate = ajv.compile(local);
  return validate(value) ? undefined : validate.errors;
}

test('every route of the API is described, and nothing else', () => {
  expect(description.openapi).toBe('3.1.0');
  expect(
    operations()
      .map(({ path, method }) => `${method.toUpperCase()} ${path}`)
      .sort(),
  ).toEqual([
    'DELETE /api/approvals/{commit}',
    'GET /api/approvals',
    'GET /api/builds',
    'GET /api/builds/{tag}',
    'GET /api/builds/{tag}/events',
    'GET /api/builds/{tag}/git/{owner}/{repo}/info/refs',
    'GET /api/builds/{tag}/install',
    'GET /api/builds/{tag}/steps/{step}/log',
    'GET /api/components',
    'GET /healthz',
    'GET /metrics',
    'GET /openapi.json',
    'GET /readyz',
    'POST /',
    'POST /api/approvals',
    'POST /api/builds',
    'POST /api/builds/{tag}/cancel',
    'POST /api/builds/{tag}/git/{owner}/{repo}/git-upload-pack',
    'POST /api/builds/{tag}/rerun',
    'POST /api/plan',
  ]);
});

test('every operation has a name of its own, a summary, a tag and described answers', () => {
  const ids = operations().map(({ operation }) => operation.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { path, operation } of operations()) {
    expect(operation, path).toMatchObject({
      summary: expect.any(String),
      tags: [expect.any(String)],
    });
    for (const [status, answer] of Object.entries(operation.responses)) {
      expect(answer.description, `${path} ${status}`).not.toBe('');
      if (Number(status) < 400 || (path === '/readyz' && status === '503')) continue;
      expect(Object.keys(answer.content ?? {}), `${path} ${status}`).toEqual([
        'application/problem+json',
      ]);
    }
  }
});

test('every operation tells the refusals that any of them may give', () => {
  const open = ['/healthz', '/readyz', '/metrics', '/openapi.json'];
  for (const { path, operation } of operations()) {
    const isOpen = open.includes(path);
    expect(Object.keys(operation.responses), path).toEqual(
      expect.arrayContaining(['400', '403', '500', ...(isOpen ? [] : ['401', '429', '502'])]),
    );
    expect(operation.security, path).toEqual(isOpen ? [] : undefined);
  }
  expect(description.security).toEqual([{}, { bearer: [] }]);
  expect(description.components.securitySchemes).toMatchObject({ bearer: { scheme: 'bearer' } });
});

test('the parameters of a path are those in its name', () => {
  for (const { path, operation } of operations()) {
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const described = (operation.parameters ?? [])
      .filter((parameter) => parameter.in === 'path')
      .map(({ name }) => name);
    expect(described.sort(), path).toEqual(named.sort());
  }
});

test('every schema is there once, under the name that docs and CLI give it', () => {
  const names = Object.keys(description.components.schemas);
  expect(names).toEqual(expect.arrayContaining(['Request', 'Build', 'Problem', 'Rerun']));
  expect(names.filter((name) => name.endsWith('Input'))).toEqual([]);
  expect(JSON.stringify(description.components.schemas['Request'])).toContain(
    '"required":["name"]',
  );
});

test('no reference leads nowhere', () => {
  for (const [, name] of JSON.stringify(description).matchAll(
    /"#\/components\/schemas\/([^"]+)"/g,
  )) {
    expect(Object.keys(description.components.schemas)).toContain(name);
  }
});

describe('what is answered is what is described', () => {
  const body = {
    name: 'test-my-thing',
    components: { 'tektoncd/pipeline': 'tektoncd/pipeline#4638' },
  };
  test.for([
    ['POST', '/', '/', body],
    ['GET', '/api/builds', '/api/builds', undefined],
    ['GET', '/api/builds/{tag}', `/api/builds/${exampleBuild.tag}`, undefined],
    ['GET', '/api/builds/{tag}/install', `/api/builds/${exampleBuild.tag}/install`, undefined],
    ['POST', '/api/builds/{tag}/rerun', `/api/builds/${exampleBuild.tag}/rerun`, undefined],
    ['POST', '/api/builds/{tag}/cancel', `/api/builds/${exampleBuild.tag}/cancel`, undefined],
    ['GET', '/api/builds/{tag}', '/api/builds/other-000000', undefined],
    ['POST', '/api/plan', '/api/plan', body],
    ['GET', '/api/components', '/api/components', undefined],
    ['GET', '/readyz', '/readyz', undefined],
    [
      ...(['POST', '/api/approvals', '/api/approvals'] as const),
      { ref: 'tektoncd/pipeline#4638', commit: '0'.repeat(40) },
    ],
    ['GET', '/api/approvals', '/api/approvals', undefined],
    [
      ...(['DELETE', '/api/approvals/{commit}', `/api/approvals/${'0'.repeat(40)}`] as const),
      undefined,
    ],
  ] as const)('%s %s (%s)', async ([method, path, url, payload]) => {
    const answer = await app.inject({ method, url, ...(payload === undefined ? {} : { payload }) });
    const described = description.paths[path]?.[method.toLowerCase()]?.responses[answer.statusCode];
    const type = String(answer.headers['content-type']).split(';', 1)[0] ?? '';
    const schema = described?.content?.[type]?.schema;
    expect(schema, `${answer.statusCode} ${type}`).toBeDefined();
    expect(problemsOf(schema ?? {}, answer.json())).toBeUndefined();
  });

  test('also what a request of the proposal looks like, and its problems', async () => {
    const schema =
      description.paths['/']?.['post']?.requestBody?.content['application/json']?.schema ?? {};
    const examples = description.components.schemas['Request']?.examples ?? [];
    expect(examples).toHaveLength(2);
    for (const example of examples) expect(problemsOf(schema, example)).toBeUndefined();
    expect(problemsOf(schema, { name: 'UPPER' })).toBeDefined();

    service.failures = [failure('bad-name')];
    const answer = await app.inject({ method: 'POST', url: '/', payload: body });
    service.failures = undefined;
    expect(problemsOf({ $ref: '#/components/schemas/Problem' }, answer.json())).toBeUndefined();
  });
});
