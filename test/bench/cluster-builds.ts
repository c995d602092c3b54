import { findConnection } from '../../src/adapters/cluster/connection.ts';
import { createKubernetesApi } from '../../src/adapters/cluster/kubernetes-api.ts';
import { createTektonCluster } from '../../src/adapters/cluster/tekton-cluster.ts';
import type { ClusterTask } from '../../src/engine/tekton/cluster.ts';
import { tagLabel } from '../../src/engine/tekton/run-names.ts';
import type { RunningService } from '../support/service.ts';
import { type ClusterWorld, openClusterWorld } from './cluster-world.ts';
import { parseUpstream, putRealUpstream } from './real-upstream.ts';
import { median, type Row, seconds } from './table.ts';
import { type BenchWorld, say, timedBuild } from './world.ts';

/** A pull request that changes four of 22 images, and the same code under other names. */
const components = { 'tektoncd/pipeline': 'tektoncd/pipeline#4638' };

/** Builds as PipelineRuns against the same ones by the local engine, where the product was built before as it pins everything. */
export async function clusterBuilds({ size }: BenchWorld, repeats: number): Promise<Row[]> {
  await using world = await openClusterWorld('builds on a cluster', size);
  if (world === undefined) return [];
  const { pull, name } = await compare(world, repeats);
  return [
    row('cluster-pull', 'one pull request on Tekton, warm', pull),
    {
      ...row('cluster-name', 'the same code under a new name on Tekton', name),
      // Where nothing is compiled, four pods are nearly all of it: shown, and not asked.
      limit: Number.POSITIVE_INFINITY,
    },
  ];
}

/** The same with the code of a real upstream, for whoever has a clone. */
export async function clusterUpstream(
  _: BenchWorld,
  repeats: number,
  upstream: string | undefined,
): Promise<Row[]> {
  const what = 'a real upstream on a cluster';
  const real = upstream === undefined ? undefined : parseUpstream(upstream);
  if (real === undefined) {
    say(`${what}: left out, for there is no --upstream CLONE@COMMIT of tektoncd/pipeline`);
    return [];
  }
  await using world = await openClusterWorld(what, 'small', (demo) => putRealUpstream(real, demo));
  if (world === undefined) return [];
  const { pull } = await compare(world, repeats);
  return [
    row('cluster-upstream', 'one commit of the real tektoncd/pipeline on Tekton, warm', pull),
  ];
}

/** Milliseconds by an engine. */
interface Compared {
  readonly local: number;
  readonly tekton: number;
}

async function compare(
  world: ClusterWorld,
  repeats: number,
): Promise<Record<'pull' | 'name', Compared>> {
  const local = await measure(world, 'local', repeats);
  const tekton = await measure(world, 'tekton', repeats);
  for (const line of tekton.where) say(line);
  return {
    pull: { local: local.pull, tekton: tekton.pull },
    name: { local: local.name, tekton: tekton.name },
  };
}

function row(id: string, what: string, { local, tekton }: Compared): Row {
  return {
    ...{ id, what, against: 'the same by the local engine' },
    ...{ demand: 'at most', limit: 1.5, unit: 'x', figure: tekton / local },
    made: `${seconds(tekton)}, ${seconds(local)}`,
  };
}

async function measure(world: ClusterWorld, engine: 'local' | 'tekton', repeats: number) {
  await using rig = world.rig(engine);
  const service = await rig.start();
  say(`${engine}: the product as it is`);
  await timedBuild(service, 'base', {});
  say(`${engine}: ${JSON.stringify(components)}`);
  const pull =
    engine === 'tekton'
      ? await watched(world, service, 'pull', components)
      : { ...(await timedBuild(service, 'pull', components)), where: [] };
  const names: number[] = [];
  for (let again = 0; again < repeats; again += 1)
    names.push((await timedBuild(service, `again-${again}`, components)).milliseconds);
  return { pull: pull.milliseconds, name: median(names), where: pull.where };
}

/** A build, and what was seen of its pods. */
async function watched(
  { cluster, space }: ClusterWorld,
  service: RunningService,
  name: string,
  asked: Readonly<Record<string, string>>,
) {
  const connection = await findConnection({ KUBECONFIG: cluster.kubeconfig });
  const api = createKubernetesApi(connection);
  const seen = createTektonCluster(api, { namespace: space.name, selector: tagLabel });
  const ending = new AbortController();
  const tasks = new Map<string, SeenTask>();
  const began = performance.now();
  const { milliseconds } = await timedBuild(service, name, asked, ({ pipelinerun }) => {
    void (async () => {
      const run = await seen.run(pipelinerun);
      if (run === undefined) throw new Error(`${pipelinerun} is not there`);
      for await (const change of seen.watchTasks(run, ending.signal)) {
        const items = change.kind === 'all' ? change.items : [change.item];
        for (const item of items) look(tasks, item, performance.now() - began);
      }
    })();
  });
  ending.abort();
  return { milliseconds, where: [...tasks.values()].map(describe) };
}

interface SeenTask {
  readonly name: string;
  readonly created: number;
  readonly running: Map<string, number>;
  readonly ended: Map<string, number>;
  over: number | undefined;
}

function look(tasks: Map<string, SeenTask>, item: ClusterTask, now: number): void {
  const known = tasks.get(item.name);
  const task: SeenTask = known ?? {
    ...{ name: `${item.task} ${item.unit ?? ''}`.trim(), created: now },
    ...{ running: new Map(), ended: new Map(), over: undefined },
  };
  tasks.set(item.name, task);
  for (const { name, state } of item.steps) {
    if (state !== 'waiting' && !task.running.has(name)) task.running.set(name, now);
    if (state === 'terminated' && !task.ended.has(name)) task.ended.set(name, now);
  }
  if (item.completedAt !== undefined) task.over ??= now;
}

/** `images 000: asked for at 4.20 s, its pod started in 2.1 s; fetch 1.2 s, run 3.0 s, push 0.4 s; over 0.2 s later` */
function describe({ name, created, running, ended, over = 0 }: SeenTask): string {
  const first = Math.min(...running.values());
  const last = Math.max(...ended.values());
  let before = first;
  const parts = [...ended].map(([step, at]) => {
    const took = at - before;
    before = at;
    return `${step} ${seconds(took)}`;
  });
  return `  ${name}: asked for at ${seconds(created)}, its pod started in ${seconds(first - created)}; ${parts.join(', ')}; over ${seconds(over - last)} later`;
}
