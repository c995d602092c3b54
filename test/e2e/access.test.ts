import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { startService } from '../../src/main.ts';
import { createNamespace, type TestNamespace, testCluster } from '../support/cluster.ts';
import { installRights } from '../support/install-rights.ts';

const product = join(import.meta.dirname, '../../examples/demo/product.yaml');
const commit = (digit: string) => digit.repeat(40);

let folder: string;
let space: TestNamespace;
let rights: AsyncDisposable;
let url: string;
let close: () => Promise<void>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-access-'));
  space = await createNamespace(testCluster(), 'access');
  rights = await installRights(space);
  const service = await serve('tributary');
  ({ url } = service);
  close = () => service.close();
});
afterAll(async () => {
  await close();
  await rights[Symbol.asyncDispose]();
  await space[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** A token of a ServiceAccount, as `kubectl create token` makes it. */
async function tokenOf(account: string, ...options: string[]): Promise<string> {
  return (await space.kubectl(['create', 'token', account, ...options])).trim();
}

/** The service as a ServiceAccount, which its pod would be. */
async function serve(account: string, access: object = {}) {
  const admin = JSON.parse(
    await space.kubectl(['config', 'view', '--raw', '--flatten', '-o', 'json']),
  );
  const [{ name }] = admin.clusters;
  const kubeconfig = join(folder, `${account}.kubeconfig`);
  const context = { cluster: name, user: account, namespace: space.name };
  await writeFile(
    kubeconfig,
    stringify({
      'current-context': 'here',
      contexts: [{ name: 'here', context }],
      clusters: admin.clusters,
      users: [{ name: account, user: { token: await tokenOf(account) } }],
    }),
  );
  const config = join(folder, `${account}-${Object.keys(access).join()}.yaml`);
  await writeFile(
    config,
    stringify({
      state: `${config}.state`,
      remotes: { a: { push: '127.0.0.1:1/a' } },
      access: { callers: 'kubernetes', ...access },
    }),
  );
  const environment = { KUBECONFIG: kubeconfig };
  return startService({ config, product, listen: '127.0.0.1:0', environment });
}

async function ask(method: string, path: string, token: string, body?: object, at = url) {
  const response = await fetch(`${at}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as { readonly reason?: string; readonly detail?: string };
  return { status: response.status, ...answer };
}

describe.for([
  ['viewer', { read: 200, build: 403, cancel: 403, approve: 403 }],
  ['builder', { read: 200, build: 400, cancel: 404, approve: 403 }],
  ['approver', { read: 200, build: 403, cancel: 403, approve: 201 }],
  ['tributary-build', { read: 403, build: 403, cancel: 403, approve: 403 }],
] as const)('a caller with the role of %s', ([account, expected]) => {
  test('may do what the role says', async () => {
    const token = await tokenOf(account);
    const approval = { ref: 'tektoncd/pipeline#4638', commit: commit('a') };
    // What nobody may is refused before anything else of it is looked at.
    const seen = {
      read: (await ask('GET', '/api/builds', token)).status,
      build: (await ask('POST', '/api/builds', token, [])).status,
      cancel: (await ask('POST', '/api/builds/x-000000/cancel', token)).status,
      approve: (await ask('POST', '/api/approvals', token, approval)).status,
    };
    expect(seen).toEqual(expected);
  });
});

test('a token of nobody is told so', async () => {
  expect(await ask('GET', '/api/builds', 'made.up.token')).toMatchObject({
    status: 401,
    reason: 'not-authenticated',
  });
});

test('with an audience of its own, the service takes tokens that were made for it alone', async () => {
  const service = await serve('tributary', { audiences: ['tributary'] });
  const forUs = await tokenOf('viewer', '--audience', 'tributary');
  const forAll = await tokenOf('viewer');
  expect((await ask('GET', '/api/builds', forUs, undefined, service.url)).status).toBe(200);
  expect((await ask('GET', '/api/builds', forAll, undefined, service.url)).status).toBe(401);
  expect((await ask('GET', '/api/builds', forUs)).status).toBe(401);
  await service.close();
});

test('approvals are ConfigMaps, of which one create decides', async () => {
  const token = await tokenOf('approver');
  const approval = { ref: 'tektoncd/pipeline#1', commit: commit('b') };
  const both = await Promise.all([
    ask('POST', '/api/approvals', token, approval),
    ask('POST', '/api/approvals', token, approval),
  ]);
  expect(both.map(({ status }) => status).sort()).toEqual([200, 201]);
  const kept = await space.kubectl(['get', 'configmap', `approval-${commit('b')}`, '-o', 'json']);
  expect(JSON.parse(kept)).toMatchObject({
    metadata: { labels: { 'tributary.dev/kind': 'approval' } },
    data: { commit: commit('b'), by: `system:serviceaccount:${space.name}:approver` },
  });
  expect((await ask('DELETE', `/api/approvals/${commit('b')}`, token)).status).toBe(200);
  expect((await ask('DELETE', `/api/approvals/${commit('b')}`, token)).status).toBe(404);
});

test('a service that may not ask who calls does not start', async () => {
  await expect(serve('tributary-build')).rejects.toMatchObject({
    failures: [{ reason: 'cluster-denied' }],
  });
});
