import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeCluster } from '../test/support/fake-cluster.ts';
import { startService } from './main.ts';

let folder: string;
let config: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-main-'));
  config = join(folder, 'config.yaml');
  await writeFile(config, `state: ${folder}/state\nremotes: {a: {push: 127.0.0.1:1/a}}\n`);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const product = new URL('../examples/demo/product.yaml', import.meta.url).pathname;
const start = (listen: string) => startService({ config, product, listen, environment: {} });

test('a free port is taken for port 0, and readiness tells what does not answer', async () => {
  const service = await start('127.0.0.1:0');
  const ready = await fetch(`${service.url}/readyz`);
  expect([ready.status, await ready.json()]).toEqual([
    503,
    {
      ready: false,
      checks: [
        { name: 'service', ok: true, detail: 'takes requests' },
        { name: 'registry a', ok: false, detail: expect.stringContaining('127.0.0.1:1') },
      ],
    },
  ]);
  await expect(start('127.0.0.1:0')).rejects.toThrow(`${service.url} works on`);
  await service.close();
});

test('a port that another program has is a mistake of the configuration, not a bug', async () => {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = `127.0.0.1:${(server.address() as { port: number }).port}`;
  await expect(start(address)).rejects.toMatchObject({
    failures: [
      {
        reason: 'bad-configuration',
        detail: `Nothing can listen on ${address}: another program does.`,
      },
    ],
  });
  server.close();
});

test.for([
  ['no port', '127.0.0.1', 'no address'],
  ['a port that is none', '127.0.0.1:99999', 'no address'],
  ['every interface', '0.0.0.0:8080', 'not a loopback address'],
])('%s is refused', async ([, listen = '', detail = '']) => {
  await expect(start(listen)).rejects.toThrow(detail);
});

describe('with callers of a cluster', () => {
  let cluster: FakeCluster;
  let environment: Record<string, string>;
  beforeEach(async () => {
    cluster = await new FakeCluster().start();
    environment = { KUBECONFIG: join(folder, 'kubeconfig') };
    await writeFile(join(folder, 'kubeconfig'), cluster.kubeconfig());
    await writeFile(
      config,
      `state: ${folder}/state\nremotes: {a: {push: 127.0.0.1:1/a}}\naccess: {callers: kubernetes}\n`,
    );
    cluster.callers.set('of-ada', { user: 'ada', may: ['get pipelineruns'] });
    cluster.callers.set('of-eve', {
      ...{ user: 'eve', may: ['create pipelineruns/approval', 'delete pipelineruns/approval'] },
    });
  });
  afterEach(() => cluster[Symbol.asyncDispose]());
  const serve = () => startService({ config, product, listen: '127.0.0.1:0', environment });

  test('each may do what the cluster says, and approvals lie there', async () => {
    const service = await serve();
    const ask = async (path: string, token?: string, init: RequestInit = {}) => {
      const headers: Record<string, string> =
        token === undefined ? {} : { authorization: `Bearer ${token}` };
      const answer = await fetch(`${service.url}${path}`, { ...init, headers });
      return answer.status;
    };
    const body = JSON.stringify({ ref: 'tektoncd/pipeline#1', commit: 'a'.repeat(40) });
    const post = { method: 'POST', body: new Blob([body], { type: 'application/json' }) };
    expect(await ask('/api/builds')).toBe(401);
    expect(await ask('/api/builds', 'of-ada')).toBe(200);
    expect(await ask('/api/builds', 'of-eve')).toBe(403);
    expect(await ask('/api/approvals', 'of-ada', post)).toBe(403);
    expect(await ask('/api/approvals', 'of-eve', post)).toBe(201);
    expect([...cluster.configMaps.keys()]).toEqual([`approval-${'a'.repeat(40)}`]);
    const path = `/api/approvals/${'a'.repeat(40)}`;
    expect(await ask(path, 'of-eve', { method: 'DELETE' })).toBe(200);
    expect(cluster.configMaps.size).toBe(0);
    await service.close();
  });

  test.for(['tokenreviews', 'subjectaccessreviews'])(
    'it does not start where it may not create %s',
    async (reviews) => {
      cluster.forbidden.add(`create ${reviews}`);
      await expect(serve()).rejects.toMatchObject({
        failures: [{ reason: 'cluster-denied', hint: expect.stringContaining('`deploy/`') }],
      });
    },
  );

  test('it asks the cluster and the namespace that builds run in, and is ready without a registry', async () => {
    const kubeconfig = cluster.kubeconfig().replace('namespace: tributary', 'namespace: elsewhere');
    await writeFile(join(folder, 'of-builds'), kubeconfig);
    await appendFile(
      config,
      'engine: tekton\ntekton: {image: x, kubeconfig: of-builds, namespace: tributary}\n',
    );
    environment = { KUBECONFIG: join(folder, 'nothing') };
    const service = await serve();
    const headers = { authorization: 'Bearer of-ada' };
    expect((await fetch(`${service.url}/api/components`, { headers })).status).toBe(200);
    const ready = await fetch(`${service.url}/readyz`);
    expect([ready.status, await ready.json()]).toMatchObject([
      200,
      {
        ready: true,
        checks: [{ ok: true }, { ok: true }, { name: 'registry a', ok: false }],
      },
    ]);
    await service.close();
  });

  test('it does not start where there is no cluster to ask', async () => {
    environment = { HOME: folder };
    await expect(serve()).rejects.toThrow('no current context');
  });
});
