import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeApiServer } from '../../../test/support/fake-api-server.ts';
import { createKubernetesApi } from '../../adapters/cluster/kubernetes-api.ts';
import { createTektonCluster } from '../../adapters/cluster/tekton-cluster.ts';
import type { Cluster } from './cluster.ts';
import { tagLabel } from './run-names.ts';
import { RunSet } from './run-set.ts';

const path = '/apis/tekton.dev/v1/namespaces/builds/pipelineruns';

describe('the set of all runs', () => {
  let server: FakeApiServer;
  let cluster: Cluster;
  let runs: RunSet;
  let told: string[];
  beforeEach(async () => {
    server = await FakeApiServer.start();
    const api = createKubernetesApi(server.connection);
    cluster = createTektonCluster(api, { namespace: 'builds', selector: tagLabel });
    runs = new RunSet(cluster);
    told = [];
  });
  afterEach(async () => {
    runs.close();
    await server.stop();
  });

  function put(name: string, uid = name): void {
    const metadata = { name, uid, labels: { [tagLabel]: name } };
    const creationTimestamp = '2026-01-01T00:00:00Z';
    server.put(path, { metadata: { ...metadata, creationTimestamp }, spec: {} });
  }

  /** Lists runs in two pages, and does something between them; then all is heard that was told of `name`. */
  async function listAround(name: string, between: () => Promise<void>): Promise<void> {
    for (let index = 0; index < 300; index += 1) put(`run-${index}`);
    const release = Promise.withResolvers<void>();
    server.holdPages(release.promise);
    runs.listen((run, gone) => {
      if (run.name === name) told.push(`${gone ? 'gone' : 'there'} ${run.uid}`);
    });
    await vi.waitFor(() => expect(server.requests).toHaveLength(2));
    await between();
    release.resolve();
    await runs.all();
    put('last');
    await vi.waitFor(() => expect(runs.ofTag('last')).toHaveLength(1));
  }

  const learn = async (name: string) => {
    const run = await cluster.run(name);
    if (run !== undefined) runs.learn(run);
  };

  test('keeps a run that was made while they were listed', async () => {
    await listAround('new', async () => {
      put('new');
      await learn('new');
    });
    expect(told).toContain('there new');
    expect(told).not.toContain('gone new');
    expect(runs.ofTag('new')).toHaveLength(1);
  });

  test('forgets a run that was made and removed while they were listed', async () => {
    await listAround('new', async () => {
      put('new');
      await learn('new');
      server.remove(path, 'new');
    });
    expect(told.at(-1)).toBe('gone new');
    expect(runs.ofTag('new')).toEqual([]);
  });

  test('takes no run that the list still has for the one that followed it under its name', async () => {
    await listAround('run-7', async () => {
      server.remove(path, 'run-7');
      put('run-7', 'second');
      await learn('run-7');
    });
    expect(new Set(told)).toEqual(new Set(['there second']));
  });

  test('forgets what is gone when they are listed anew', async () => {
    put('one');
    put('two');
    await runs.all();
    runs.listen((run, gone) => {
      if (gone) told.push(run.name);
    });
    server.cut();
    server.remove(path, 'one');
    server.compact();
    await vi.waitFor(() => expect(told).toEqual(['one']), 5000);
    expect(runs.ofTag('two')).toHaveLength(1);
  });
});
