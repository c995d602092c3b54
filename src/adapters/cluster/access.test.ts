import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeCluster } from '../../../test/support/fake-cluster.ts';
import { approvalOf, approvalsContract, commitOf } from '../../access/approvals.contract.ts';
import type { Approvals } from '../../access/approvals.ts';
import type { Caller } from '../../access/caller.ts';
import { createConfigMapApprovals } from './config-map-approvals.ts';
import { findConnection } from './connection.ts';
import { createKubernetesAccess } from './kubernetes-access.ts';
import { createKubernetesApi, type KubernetesApi } from './kubernetes-api.ts';

let cluster: FakeCluster;
let api: KubernetesApi;
let folder: string;

beforeEach(async () => {
  cluster = await new FakeCluster().start();
  folder = await mkdtemp(join(tmpdir(), 'tributary-cluster-'));
  const file = join(folder, 'kubeconfig');
  await writeFile(file, cluster.kubeconfig());
  const patience = { total: 200, first: 5, longest: 20 };
  api = createKubernetesApi(await findConnection({ KUBECONFIG: file }), { patience });
  cluster.callers.set('of-ada', { user: 'ada', groups: ['team'], may: ['create pipelineruns'] });
});
afterEach(async () => {
  await cluster[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

describe('who calls', () => {
  const access = (audiences: readonly string[] = []) =>
    createKubernetesAccess(api, { namespace: 'tributary', audiences });

  test('is whom the cluster knows by the token', async () => {
    expect(await access().identify('of-ada')).toEqual({
      user: 'ada',
      uid: 'uid of ada',
      groups: ['team'],
      extra: {},
    });
    expect(await access().identify('of-nobody')).toBeUndefined();
  });

  test('is nobody where the token was made for another audience', async () => {
    cluster.callers.set('made-for-us', { user: 'bob', may: [], audiences: ['tributary'] });
    expect(await access(['tributary']).identify('of-ada')).toBeUndefined();
    expect(await access(['tributary']).identify('made-for-us')).toMatchObject({ user: 'bob' });
    expect(await access().identify('made-for-us')).toBeUndefined();
  });

  test('is nobody where whoever reviewed the token looked at no audience', async () => {
    cluster.trouble.push([201, { status: { authenticated: true, user: { username: 'eve' } } }]);
    expect(await access(['tributary']).identify('opaque')).toBeUndefined();
    cluster.trouble.push([201, { status: { authenticated: true, user: { username: 'eve' } } }]);
    expect(await access().identify('opaque')).toMatchObject({ user: 'eve' });
  });

  test.for([
    ['create', true],
    ['update', false],
    ['approve', false],
  ] as const)('may %s: %s, as the rules of the namespace say', async ([permission, allowed]) => {
    const ada = (await access().identify('of-ada')) as Caller;
    expect(await access().allows(ada, permission)).toBe(allowed);
  });

  test('may ask for builds without the right to create PipelineRuns', async () => {
    cluster.callers.set('of-bob', { user: 'bob', may: ['create pipelineruns/build'] });
    const bob = (await access().identify('of-bob')) as Caller;
    expect(await access().allows(bob, 'create')).toBe(true);
    expect(await access().allows(bob, 'update')).toBe(false);
  });

  test('may vouch for commits by a right of its own', async () => {
    cluster.callers.set('of-eve', { user: 'eve', may: ['create pipelineruns/approval'] });
    const eve = (await access().identify('of-eve')) as Caller;
    expect(await access().allows(eve, 'approve')).toBe(true);
    expect(await access().allows(eve, 'create')).toBe(false);
  });

  test('is not known, and not nobody, where the cluster does not answer', async () => {
    const trouble = [503, { message: 'etcd' }] as const;
    cluster.trouble.push(...Array(200).fill(trouble));
    await expect(access().identify('of-ada')).rejects.toMatchObject({
      failures: [{ reason: 'cluster-unavailable', detail: expect.stringContaining('etcd') }],
    });
  });

  test('is asked again where the cluster was away for a moment', async () => {
    cluster.trouble.push([500, {}], [429, {}]);
    expect(await access().identify('of-ada')).toMatchObject({ user: 'ada' });
  });

  test('is a matter of the configuration where the service may not ask', async () => {
    cluster.forbidden.add('create tokenreviews');
    await expect(access().identify('of-ada')).rejects.toMatchObject({
      failures: [
        {
          reason: 'cluster-denied',
          detail: expect.stringContaining('cannot create it'),
          hint: expect.stringContaining('`deploy/`'),
        },
      ],
    });
  });

  test('is asked by few at once, however many tokens are sent', async () => {
    let [open, most] = [0, 0];
    const ask = async () => {
      open += 1;
      most = Math.max(most, open);
      await new Promise((done) => setImmediate(done));
      open -= 1;
      return { status: { user: {} } };
    };
    const many = createKubernetesAccess({ ask }, { namespace: 'tributary', audiences: [] });
    await Promise.all(Array.from({ length: 100 }, (_, token) => many.identify(`made-up-${token}`)));
    expect(most).toBe(16);
  });

  test('is asked no more where hundreds wait already', async () => {
    const waits = Promise.withResolvers<object>();
    const ask = () => waits.promise;
    const many = createKubernetesAccess({ ask }, { namespace: 'tributary', audiences: [] });
    const asked = Array.from({ length: 300 }, (_, token) => many.identify(`made-up-${token}`));
    await expect(asked.at(-1)).rejects.toMatchObject({
      failures: [{ reason: 'too-many-requests' }],
    });
    waits.resolve({ status: { user: {} } });
    const settled = await Promise.allSettled(asked);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(272);
  });

  test.for([
    ['a review without its status', [201, {}]],
    ['what is no JSON object', [200, []]],
  ] as const)('%s allows nothing', async ([, reply]) => {
    cluster.trouble.push(reply);
    await expect(access().identify('of-ada')).rejects.toThrow('as Kubernetes does');
  });
});

approvalsContract('ConfigMaps', () => createConfigMapApprovals(api, 'tributary'));

describe('ConfigMaps of approvals', () => {
  let approvals: Approvals;
  beforeEach(() => {
    approvals = createConfigMapApprovals(api, 'tributary');
  });

  test('are named by the commit, labelled, and never changed', async () => {
    await approvals.add(approvalOf('a'));
    expect([...cluster.configMaps.values()]).toMatchObject([
      {
        metadata: {
          name: `approval-${commitOf('a')}`,
          labels: { 'tributary.dev/kind': 'approval', 'app.kubernetes.io/managed-by': 'tributary' },
        },
        immutable: true,
      },
    ]);
  });

  test('others are not listed', async () => {
    cluster.configMaps.set('other', {
      metadata: { name: 'other', uid: 'u', resourceVersion: '1' },
    });
    expect(await approvals.list()).toEqual([]);
  });

  test('what was approved anew while it was taken away is looked at before it goes', async () => {
    await approvals.add(approvalOf('a'));
    cluster.before = (asked) => {
      if (!asked.startsWith('DELETE')) return;
      cluster.before = () => {};
      const [name = ''] = cluster.configMaps.keys();
      const map = cluster.configMaps.get(name);
      if (map === undefined) throw new Error('no ConfigMap');
      const data = { ...map.data, by: 'bob' };
      cluster.configMaps.set(name, {
        ...map,
        data,
        metadata: { ...map.metadata, resourceVersion: '99' },
      });
    };
    expect(await approvals.remove(commitOf('a'))).toMatchObject({ by: 'bob' });
  });

  test('a ConfigMap of the name that says something else approves nothing', async () => {
    await approvals.add(approvalOf('b'));
    const [other] = cluster.configMaps.values();
    if (other === undefined) throw new Error('no ConfigMap');
    const name = `approval-${commitOf('a')}`;
    cluster.configMaps.set(name, { ...other, metadata: { ...other.metadata, name } });
    expect(await approvals.find(commitOf('a'))).toBeUndefined();
    expect(await approvals.list()).toHaveLength(1);
    await expect(approvals.add(approvalOf('a'))).rejects.toThrow('no approval');
  });
});
