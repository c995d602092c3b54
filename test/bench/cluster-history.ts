import pLimit from 'p-limit';
import { findConnection } from '../../src/adapters/cluster/connection.ts';
import {
  createKubernetesApi,
  type KubernetesApi,
} from '../../src/adapters/cluster/kubernetes-api.ts';
import type { NewBuild } from '../../src/builds/build.ts';
import { Tekton } from '../../src/config/tekton.ts';
import { packBuild } from '../../src/engine/tekton/builds-of-runs.ts';
import { renderRun } from '../../src/engine/tekton/render-run.ts';
import { outcomeAnnotation } from '../../src/engine/tekton/run-names.ts';
import { lockDigest, pipelinerunName, tagFor } from '../../src/plan/tag.ts';
import { type LargeBuild, largeBuild } from '../support/large-build.ts';
import { finished } from '../support/run-sizes.ts';
import type { RunningService } from '../support/service.ts';
import { openClusterWorld } from './cluster-world.ts';
import { median, percentile, type Row, seconds } from './table.ts';
import { type BenchWorld, memoryOf, say } from './world.ts';

const runs = 2000;

/** As many images and components as the real product has. */
const usual = largeBuild(35, 12);

/** The list of builds and the service's memory, where the namespace has two thousand finished runs. */
export async function clusterHistory(_world: BenchWorld, repeats: number): Promise<Row[]> {
  await using world = await openClusterWorld('history on a cluster', 'small');
  if (world === undefined) return [];
  const { cluster, space } = world;
  const api = createKubernetesApi(await findConnection({ KUBECONFIG: cluster.kubeconfig }));
  say(`history on a cluster: ${runs} runs`);
  const limit = pLimit(8);
  await Promise.all(
    Array.from({ length: runs }, (_, index) => limit(() => finish(api, space.name, index))),
  );
  await using rig = world.rig('tekton');
  const service = await rig.start();
  const idle = memoryOf(service.pid);
  const began = performance.now();
  await page(service);
  const first = performance.now() - began;
  const times: number[] = [];
  for (let turn = 0; turn < repeats * 20; turn += 1) times.push(await page(service));
  const statuses: number[] = [];
  for (let turn = 0; turn < repeats * 20; turn += 1)
    statuses.push(await timed(service, `/api/builds/${askedOf(turn * 7).tag}`));
  const memory = memoryOf(service.pid);
  const row = (
    id: string,
    what: string,
    unit: Row['unit'],
    most: number,
  ): Omit<Row, 'figure' | 'made'> => ({
    ...{ id, what: `${what}, ${runs} runs in the namespace`, against: '–' },
    ...{ demand: 'at most', limit: most, unit },
  });
  return [
    {
      ...row('cluster-memory', 'memory of the service', 'MB', 250),
      figure: memory,
      made: `resident; ${idle.toFixed(0)} MB when it had just started`,
    },
    {
      ...row('cluster-list', '`GET /api/builds`, p99', 's', 0.25),
      figure: percentile(times, 99) / 1000,
      made: `p50 ${seconds(median(times))}; the first, which reads all runs, ${seconds(first)}`,
    },
    {
      ...row('cluster-status', '`GET /api/builds/TAG`, p99', 's', 0.1),
      figure: percentile(statuses, 99) / 1000,
      made: `p50 ${seconds(median(statuses))}`,
    },
  ];
}

function askedOf(index: number): NewBuild {
  const lock = { ...usual.asked.lock, name: `past-${index}` };
  const digest = lockDigest(lock);
  const tag = tagFor(lock.name, digest);
  return { ...usual.asked, lock, lockDigest: digest, tag, pipelinerun: pipelinerunName(tag) };
}

/** Makes a run that is over: it is created as one that waits, which Tekton leaves alone, and then said to have succeeded. */
async function finish(api: KubernetesApi, namespace: string, index: number): Promise<void> {
  const path = `/apis/tekton.dev/v1/namespaces/${namespace}/pipelineruns`;
  const settings = Tekton.parse({ image: 'tributary' });
  const now = new Date(Date.UTC(2026, 0) + index * 60_000);
  const asked = askedOf(index);
  const past: LargeBuild = { ...usual, asked };
  const run = renderRun(asked, {
    attempt: 1,
    now,
    settings,
    namespace,
    url: undefined,
    submission: 'x',
  });
  const annotations = {
    ...run.metadata.annotations,
    [outcomeAnnotation]: packBuild(finished(past)),
  };
  const waiting = { ...run.spec, status: 'PipelineRunPending' };
  await api.ask('POST', path, {
    body: { ...run, metadata: { ...run.metadata, annotations }, spec: waiting },
  });
  const at = now.toISOString().replace('.000', '');
  const status = {
    // One that waits may not have started.
    completionTime: at,
    conditions: [
      { type: 'Succeeded', status: 'True', reason: 'Succeeded', lastTransitionTime: at },
    ],
  };
  await api.ask('PATCH', `${path}/${run.metadata.name}/status`, {
    body: { status },
    contentType: 'application/merge-patch+json',
  });
}

async function page(service: RunningService): Promise<number> {
  return timed(service, '/api/builds');
}

async function timed(service: RunningService, path: string): Promise<number> {
  const began = performance.now();
  const { status, body } = await service.get(path);
  const took = performance.now() - began;
  if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
  return took;
}
