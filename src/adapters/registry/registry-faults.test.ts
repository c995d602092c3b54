import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { failureOf } from '../../../test/support/failure-of.ts';
import {
  type Fault,
  type FaultyProxy,
  first,
  scripts,
  startFaultyProxy,
} from '../../../test/support/faulty-proxy.ts';
import { startRegistry, type TestRegistry } from '../../../test/support/registry.ts';
import type { Retry } from '../../builds/event.ts';
import { Configuration } from '../../config/config.ts';
import type { Digest } from '../../plan/names.ts';
import { blobOf, writeLayout } from '../../steps/oci-layout.ts';
import type { Registry } from '../../steps/step.ts';
import { createPersist } from '../persist.ts';
import { createRegistry } from './registry.ts';

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let server: TestRegistry;
let proxy: FaultyProxy;
let folder = '';

beforeAll(async () => {
  server = await startRegistry();
  proxy = await startFaultyProxy(server.host);
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await server.close();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'registry-faults-'));
});
afterEach(async () => {
  proxy.script();
  await rm(folder, { recursive: true, force: true });
});

/** A registry through the proxy, and what is told of retries, in order. */
async function connect(options: { signal?: AbortSignal; total?: number; heard?: () => void } = {}) {
  const { total = 15_000, heard, ...signal } = options;
  const told: (Retry | string)[] = [];
  const listener = {
    retrying: (retry: Retry) => {
      told.push(retry);
      heard?.();
    },
    recovered: (what: string) => void told.push(`${what} answers again`),
  };
  const patience = { total, first: 5, longest: 50 };
  const registry = await createRegistry(
    Configuration.parse({ remotes: { demo: { push: proxy.host } } }),
    { folder, idle: 700, persist: createPersist(patience, { ...signal, listener }), ...signal },
  );
  return { registry, told };
}

/** A layer that does not fit into one packet. */
const layer = Buffer.alloc(300_000, 'layer of some length ');
const layerDigest = `sha256:${createHash('sha256').update(layer).digest('hex')}` as Digest;

async function layout(name: string): Promise<string> {
  const path = await mkdtemp(join(folder, 'layout-'));
  await writeLayout(path, {
    config: blobOf('application/vnd.example.v1+json', Buffer.from(JSON.stringify({ name }))),
    layers: [blobOf('application/vnd.example.layer', layer)],
  });
  return path;
}

interface Operation {
  /** The request in the middle of it. */
  readonly at: (repository: string) => RegExp;
  run(registry: Registry, repository: string): Promise<unknown>;
}

/** Everything that is asked of a registry. */
const operations = {
  manifest: {
    at: (path) => new RegExp(`^GET /v2/${path}/manifests/`),
    run: async (registry, name) => (await registry.manifest(`${name}:1`))?.digest,
  },
  blob: {
    at: (path) => new RegExp(`^GET /v2/${path}/blobs/`),
    run: async (registry, name) => (await registry.blob(name, layerDigest, 1e6)).length,
  },
  'pull-layout': {
    at: (path) => new RegExp(`^GET /v2/${path}/blobs/`),
    run: async (registry, name) => {
      const parent = await mkdtemp(join(folder, 'pulled-'));
      return registry.pullLayout(`${name}:1`, join(parent, 'layout'));
    },
  },
  'push-layout': {
    at: (path) => new RegExp(`^(PATCH|PUT) /v2/${path}/`),
    run: async (registry, name) => registry.pushLayout(await layout(name), `${name}:2`),
  },
  copy: {
    at: (path) => new RegExp(`^(PUT|GET) /v2/${path}/manifests/`),
    run: (registry, name) => registry.copy(`${name}:1`, `${name}:3`),
  },
  pullable: {
    at: (path) => new RegExp(`^GET /v2/${path}/manifests/`),
    run: (registry, name) => registry.pullable(`${name}:1`),
  },
} as const satisfies Record<string, Operation>;
type OperationName = keyof typeof operations;
const every = Object.keys(operations) as OperationName[];

/** Operations at once, each on a repository of its own; gives what each came to and what was told. */
async function runAll(names: readonly OperationName[], heard: (name: string) => void = () => {}) {
  const results = names.map(async (name) => {
    const { registry, told } = await connect({ heard: () => heard(name) });
    const made = await operations[name].run(registry, `${proxy.host}/t/${name}`);
    return [name, { made, told }] as const;
  });
  return Object.fromEntries(await Promise.all(results));
}

describe('trouble that passes', () => {
  const expected: Partial<Record<OperationName, unknown>> = {};
  const told = (count: number) => [
    ...Array.from({ length: count }, (_, index) => ({
      what: `registry ${proxy.host}`,
      why: expect.stringMatching(/./),
      retry: index + 1,
      seconds: expect.any(Number),
    })),
    `registry ${proxy.host} answers again`,
  ];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'registry-faults-'));
    const { registry } = await connect();
    for (const name of every)
      await registry.pushLayout(await layout(name), `${proxy.host}/t/${name}:1`);
    const clean = await runAll(every);
    for (const name of every) expected[name] = clean[name]?.made;
    await rm(folder, { recursive: true });
  });

  /** Each operation meets the fault once, in its middle. */
  async function expectToGoOn(names: readonly OperationName[], fault: Fault) {
    proxy.script(
      scripts(...names.map((name) => first(1, operations[name].at(`t/${name}`), fault))),
    );
    const results = await runAll(names);
    for (const name of names)
      expect(results[name], name).toEqual({ made: expected[name], told: told(1) });
  }

  test.for([
    ['a dropped connection', { kind: 'drop' }],
    ['silence', { kind: 'hang' }],
    ['500', { kind: 'status', status: 500 }],
    ['502', { kind: 'status', status: 502 }],
    ['503', { kind: 'status', status: 503 }],
    ['429 with Retry-After', { kind: 'status', status: 429, headers: { 'retry-after': '1' } }],
  ] satisfies [string, Fault][])('everything goes on after %s, and tells of it', ([, fault]) =>
    expectToGoOn(every, fault),
  );

  test.for([
    ['is cut', { kind: 'cut', after: 100 }],
    ['stops in its middle', { kind: 'stall', after: 100 }],
    ['is damaged', { kind: 'corrupt', at: 0 }],
  ] satisfies [string, Fault][])('what is read is read again where the answer %s', ([, fault]) =>
    expectToGoOn(['manifest', 'blob', 'pull-layout', 'copy'], fault),
  );

  test('a registry that is down for a moment is waited for', async () => {
    await proxy.down();
    const heard = new Set<string>();
    const running = runAll(every, (name) => heard.add(name));
    await vi.waitUntil(() => heard.size === every.length, { timeout: 10_000 });
    await proxy.up();
    const results = await running;
    for (const name of every) {
      expect(results[name]?.made, name).toEqual(expected[name]);
      expect(results[name]?.told[0]).toMatchObject({ why: expect.stringMatching(/refused/i) });
      expect(results[name]?.told.at(-1)).toBe(`registry ${proxy.host} answers again`);
    }
  });

  test('a slow registry is no trouble', async () => {
    proxy.script(() => ({ kind: 'delay', milliseconds: 200 }));
    expect(await runAll(['copy'])).toEqual({ copy: { made: expected['copy'], told: [] } });
  });

  test.for(['manifest', 'blob'] as const)(
    '%s comes back when the registry asks for it',
    async (name) => {
      const headers = { 'retry-after': '1' };
      proxy.script(
        first(1, operations[name].at(`t/${name}`), { kind: 'status', status: 429, headers }),
      );
      const begun = performance.now();
      const results = await runAll([name]);
      expect(performance.now() - begun).toBeGreaterThan(950);
      expect(results[name]?.told[0]).toMatchObject({
        why: expect.stringContaining('429'),
        seconds: 1,
      });
    },
  );

  test('a large blob that is cut twice is there in the end', async () => {
    proxy.script(first(2, /GET .*\/blobs\//, { kind: 'cut', after: 200_000 }));
    const results = await runAll(['pull-layout']);
    expect(results).toEqual({ 'pull-layout': { made: expected['pull-layout'], told: told(2) } });
  });
});

describe('trouble that stays', () => {
  test('a registry that stays away is given up on when there is no more time', async () => {
    const { registry, told } = await connect({ total: 400 });
    proxy.script(() => ({ kind: 'status', status: 503 }));
    const failure = await failureOf(registry.manifest(`${proxy.host}/t/a:1`));
    expect(failure).toMatchObject({
      reason: 'registry-unavailable',
      detail: expect.stringContaining('503'),
      hint: expect.stringContaining('what was finished is kept'),
    });
    expect(told.length).toBeGreaterThan(0);
  });

  test('one that asks to be left alone for longer than there is time is not waited for', async () => {
    const { registry, told } = await connect({ total: 300 });
    const headers = { 'retry-after': '60' };
    proxy.script(() => ({ kind: 'status', status: 429, headers }));
    for (const work of [
      registry.blob(`${proxy.host}/t/a`, layerDigest, 1e6),
      registry.manifest(`${proxy.host}/t/a:1`),
    ])
      expect(await failureOf(work)).toMatchObject({ reason: 'registry-unavailable' });
    expect(told).toEqual([]);
  });

  test('bytes that stay wrong are asked for four times, not for ever', async () => {
    const { registry, told } = await connect();
    await registry.pushLayout(await layout('a'), `${proxy.host}/t/a:1`);
    proxy.script(first(100, /GET .*\/blobs\//, { kind: 'corrupt', at: 5 }));
    const failure = await failureOf(registry.blob(`${proxy.host}/t/a`, layerDigest, 1e6));
    expect(failure).toMatchObject({ reason: 'registry-unusable' });
    expect(failure.hint).toContain('storage is damaged');
    expect(told).toHaveLength(3);
  });

  test('a credential that is no longer good is told as such, at once', async () => {
    const { registry, told } = await connect();
    const name = `${proxy.host}/t/denied`;
    await registry.pushLayout(await layout('a'), `${name}:1`);
    const headers = { 'www-authenticate': 'Basic realm="test"' };
    proxy.script(() => ({ kind: 'status', status: 401, headers }));
    for (const operation of ['push-layout', 'blob', 'copy'] as const)
      expect(await failureOf(operations[operation].run(registry, name)), operation).toMatchObject({
        reason: 'registry-denied',
        hint: expect.stringContaining('skopeo login'),
      });
    expect(told).toEqual([]);
  });

  test('whoever cancels does not wait for a registry that is silent', async () => {
    const stop = new AbortController();
    const { registry } = await connect({ signal: stop.signal });
    proxy.script(() => ({ kind: 'hang' }));
    const asked = proxy.seen.length;
    const running = (['manifest', 'blob', 'pull-layout'] as const).map((name) =>
      operations[name].run(registry, `${proxy.host}/t/a`).catch((error: unknown) => error),
    );
    await vi.waitUntil(() => proxy.seen.length === asked + 3, { timeout: 10_000 });
    stop.abort(new Error('cancelled'));
    for (const error of await Promise.all(running))
      expect(error).toMatchObject({ message: expect.stringMatching(/cancelled|abort/) });
  });

  test('whoever cancels does not wait for the next try', async () => {
    const stop = new AbortController();
    const { registry, told } = await connect({ signal: stop.signal });
    proxy.script(() => ({ kind: 'status', status: 429, headers: { 'retry-after': '9' } }));
    const running = registry.manifest(`${proxy.host}/t/a:1`).catch((error: unknown) => error);
    await vi.waitUntil(() => told.length > 0, { timeout: 10_000 });
    stop.abort(new Error('cancelled'));
    expect(await running).toMatchObject({ message: 'cancelled' });
  });
});
