import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { demoBuild } from '../../../test/support/demo-build.ts';
import { type ApiObject, FakeApiServer } from '../../../test/support/fake-api-server.ts';
import { Tekton } from '../../config/tekton.ts';
import type { Cluster } from '../../engine/tekton/cluster.ts';
import { renderRun } from '../../engine/tekton/render-run.ts';
import { tagLabel } from '../../engine/tekton/run-names.ts';
import { createKubernetesApi } from './kubernetes-api.ts';
import { createTektonCluster } from './tekton-cluster.ts';

const run = renderRun(demoBuild(), {
  ...{ attempt: 1, namespace: 'builds', url: undefined, submission: 'this one' },
  settings: Tekton.parse({ image: 'tributary' }),
  now: new Date(0),
});
const { name, labels = {} } = run.metadata;
const runs = '/apis/tekton.dev/v1/namespaces/builds/pipelineruns';

describe('the cluster of an engine', () => {
  let server: FakeApiServer;
  let cluster: Cluster;
  beforeEach(async () => {
    server = await FakeApiServer.start();
    const api = createKubernetesApi(server.connection);
    cluster = createTektonCluster(api, { namespace: 'builds', selector: tagLabel });
  });
  afterEach(() => server.stop());

  test('creates a run once, finds it by its labels, and changes it', async () => {
    expect(await cluster.create(run)).toMatchObject({ name, asked: undefined, tasks: [] });
    expect(await cluster.create(run)).toBe('exists');
    expect(await cluster.runs(tagLabel, labels[tagLabel] ?? '')).toMatchObject([{ name }]);
    expect(await cluster.runs(tagLabel, 'another')).toEqual([]);
    const changed = await cluster.change(name, { annotations: { note: 'x' }, cancel: true });
    expect(changed).toMatchObject({ asked: 'Cancelled', annotations: { note: 'x' } });
    expect(changed?.annotations).toMatchObject(run.metadata.annotations ?? {});
    expect(await cluster.run('nothing')).toBeUndefined();
    expect(await cluster.change('nothing', {})).toBeUndefined();
  });

  test('gives a run that is over as it is to whoever cancels it', async () => {
    await cluster.create(run);
    const conditions = [{ type: 'Succeeded', status: 'True', reason: 'Succeeded' }];
    server.put(runs, { ...(server.get(runs, name) as ApiObject), status: { conditions } });
    const changed = await cluster.change(name, { annotations: { note: 'x' }, cancel: true });
    expect(changed).toMatchObject({ condition: { status: 'True' }, asked: undefined });
    expect(changed?.annotations).not.toHaveProperty('note');
  });

  test('tells why it does not cancel a run that goes on', async () => {
    await cluster.create(run);
    server.refuse(400, 1);
    await expect(cluster.change(name, { cancel: true })).rejects.toThrow('says the test');
  });

  test('that does not take a run is a failure of the infrastructure that says what it says', async () => {
    server.refuse(422, 1);
    await expect(cluster.create(run)).rejects.toMatchObject({
      failures: [{ reason: 'run-refused', detail: expect.stringContaining('says the test') }],
    });
    server.refuse(404, 1);
    await expect(cluster.runs(tagLabel, 'x')).rejects.toMatchObject({
      failures: [{ reason: 'run-refused', hint: expect.stringContaining('Tekton Pipelines') }],
    });
  });

  test('reads the log of a container line by line', async () => {
    server.log('pod', 'one\ntwo\n');
    const lines: string[] = [];
    const { signal } = new AbortController();
    for await (const line of cluster.log('pod', 'step-run', { follow: false, signal }))
      lines.push(line);
    expect(lines).toEqual(['one', 'two']);
  });
});
