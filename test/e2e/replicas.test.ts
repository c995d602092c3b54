import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, vi } from 'vitest';
import { createKubernetesApi } from '../../src/adapters/cluster/kubernetes-api.ts';
import { createTektonCluster } from '../../src/adapters/cluster/tekton-cluster.ts';
import { Bookmark } from '../../src/builds/bookmark.ts';
import type { BuildEvent } from '../../src/builds/event.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { forever } from '../../src/engine/engine-rig.ts';
import { rigTest } from '../../src/engine/rig-test.ts';
import { tagLabel } from '../../src/engine/tekton/run-names.ts';
import type { Tag } from '../../src/plan/names.ts';
import { describeOnOurs, testCluster } from '../support/cluster.ts';
import { layLine } from '../support/cuttable-line.ts';
import { demoBuild } from '../support/demo-build.ts';
import { makeTektonRig, type TektonRig } from '../support/tekton-rig.ts';

const steps = [
  { id: 'image/one', group: 'a', logs: ['compiling'] },
  { id: 'image/two', group: 'b' },
  { id: 'bundle' },
] as const;

async function eventsOf(engine: Engine, tag: Tag): Promise<BuildEvent[]> {
  const all: BuildEvent[] = [];
  for await (const event of engine.events(tag, forever)) all.push(event);
  return all;
}

/** Without their order: of what happens in two pods at once, whoever looks later knows it better. */
function byId(events: readonly BuildEvent[] = []): readonly BuildEvent[] {
  return events.toSorted((one, other) => (one.id < other.id ? -1 : 1));
}

/** What somebody hears who moves from one replica to another after each event. */
function resumed(...replicas: readonly (readonly BuildEvent[])[]): readonly BuildEvent[] {
  const heard: BuildEvent[] = [];
  for (let id = ''; ; ) {
    const bookmark = new Bookmark(id);
    const next = replicas[heard.length % replicas.length]?.find((event) => bookmark.tell(event));
    if (next === undefined) return heard;
    heard.push(next);
    id = bookmark.toString();
  }
}

async function textOf(pieces: AsyncIterable<string> | undefined): Promise<string> {
  let text = '';
  for await (const piece of pieces ?? []) text += piece;
  return text;
}

const test = rigTest(() => makeTektonRig(testCluster()));

/** Paths of the pods of a task of the pipeline. */
async function podsOf({ api, namespace }: TektonRig, task: string): Promise<string[]> {
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const query = { labelSelector: `tekton.dev/pipelineTask=${task}` };
  const list = (await api.ask('GET', path, { query })) as {
    items: { metadata: { name: string } }[];
  };
  return list.items.map(({ metadata }) => `${path}/${metadata.name}`);
}

/** Waits until a run has a pod. */
async function podsThere({ api, namespace }: TektonRig, run: string): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const query = { labelSelector: `tekton.dev/pipelineRun=${run}` };
  await vi.waitFor(async () => {
    const { items } = (await api.ask('GET', path, { query })) as { items: unknown[] };
    expect(items).toHaveLength(1);
  }, 30_000);
}

async function deletePods(rig: TektonRig, task: string): Promise<void> {
  for (const pod of await podsOf(rig, task))
    await rig.api.ask('DELETE', pod, { query: { gracePeriodSeconds: 0 } });
}

/** Asks for their eviction, as who drains a node does. */
async function evictPods(rig: TektonRig, task: string): Promise<void> {
  for (const pod of await podsOf(rig, task)) {
    const metadata = { name: basename(pod), namespace: rig.namespace };
    const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata };
    await rig.api.ask('POST', `${pod}/eviction`, { body });
  }
}

/** Lets the kubelet end them, as it does where a node runs short of something. */
async function endPods(rig: TektonRig, task: string): Promise<void> {
  const body = { spec: { activeDeadlineSeconds: 1 } };
  const contentType = 'application/merge-patch+json';
  for (const pod of await podsOf(rig, task)) await rig.api.ask('PATCH', pod, { body, contentType });
}

function begun(rig: TektonRig, name: string, step: string, times: number): Promise<void> {
  return vi.waitFor(async () => expect(await rig.starts(name, step)).toBe(times), {
    ...{ timeout: 60_000, interval: 200 },
  });
}

describe('on a cluster', { concurrent: true }, () => {
  test('fifty same requests through two replicas are one run, and both answer alike', async ({
    rig,
    until,
  }) => {
    const replicas = [rig.engine, rig.another()];
    const build = demoBuild();
    await rig.script(build.lock.name, [{ ...steps[0], does: 'wait' }, ...steps.slice(1)]);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => replicas[index % 2]?.submit(build)),
    );
    expect(answers.filter((answer) => answer?.kind === 'created')).toHaveLength(1);
    expect(answers.filter((answer) => answer?.kind === 'known')).toHaveLength(49);

    const live = replicas.map((engine) => eventsOf(engine, build.tag));
    await until(build.tag, 'step-started', 'image/one');
    // One that comes in the middle, as after a restart, hears it all.
    const late = rig.another();
    live.push(eventsOf(late, build.tag));
    expect(await late.get(build.tag)).toMatchObject({ state: 'running' });
    await rig.release(build.lock.name);
    const [one = [], two, three] = await Promise.all(live);
    expect(one.at(-1)?.kind).toBe('succeeded');
    expect(byId(two)).toEqual(byId(one));
    expect(byId(three)).toEqual(byId(one));

    const fresh = rig.another();
    const all = await eventsOf(fresh, build.tag);
    expect(byId(all)).toEqual(byId(one));
    expect(byId(resumed(one, all))).toEqual(byId(one));
    expect(await fresh.get(build.tag)).toEqual(await rig.engine.get(build.tag));
    const log = await fresh.log(build.tag, 'image/one', false, forever);
    expect(await textOf(log)).toBe('compiling\nreleased\n');
    const shown = await testCluster().kubectl([
      ...['get', 'pipelineruns', '--namespace', rig.namespace, '--label-columns', tagLabel],
      ...['--selector', 'component.tributary.dev/tektoncd.pipeline'],
    ]);
    expect(shown).toMatch(new RegExp(`^${build.pipelinerun} .* ${build.tag}\\s*$`, 'm'));
    expect((await fresh.list({ limit: 10 })).builds).toEqual([await fresh.get(build.tag)]);
  });

  test('a run that somebody removes ends for whoever watches, and may be asked for again', async ({
    rig,
    until,
    finished,
  }) => {
    const build = demoBuild();
    await rig.script(build.lock.name, [{ id: 'bundle', does: 'wait' }]);
    await rig.engine.submit(build);
    const watching = eventsOf(rig.engine, build.tag);
    await until(build.tag, 'step-started', 'bundle');
    const runs = `/apis/tekton.dev/v1/namespaces/${rig.namespace}/pipelineruns`;
    await rig.api.ask('DELETE', `${runs}/${build.pipelinerun}`);
    expect((await watching).at(-1)).toMatchObject({
      kind: 'failed',
      failures: [{ reason: 'run-deleted' }],
    });
    await vi.waitFor(async () => expect(await rig.engine.get(build.tag)).toBeUndefined(), 30_000);
    await rig.script(build.lock.name, [{ id: 'bundle' }]);
    expect(await rig.engine.submit(build)).toMatchObject({ kind: 'created' });
    expect(await finished(build.tag)).toMatchObject({ state: 'succeeded' });
  });

  test('what is cancelled leaves no pod at whatever stage it was, and is begun anew when it is asked for again', async ({
    rig,
    finished,
  }) => {
    const { tasks } = rig.settings;
    const nowhere = { ...tasks.prepare, 'node-selector': { nowhere: 'true' } };
    const stuck = rig.another({
      settings: { ...rig.settings, tasks: { ...tasks, prepare: nowhere } },
    });
    const stages = ['waiting', 'prepare', 'payload/tektoncd/pipeline', 'image/one', 'bundle'];
    const builds = stages.map((stage, index) => ({ stage, build: demoBuild(`stage-${index}`) }));
    const all = [{ id: 'payload/tektoncd/pipeline' }, ...steps];
    const cancelled = builds.map(async ({ stage, build }) => {
      const { name } = build.lock;
      const does = (id: string) => (id === stage ? 'wait' : 'finish');
      const scripted = all.map((step) => ({ ...step, does: does(step.id) }) as const);
      await rig.script(name, scripted, does('prepare'));
      await (stage === 'waiting' ? stuck : rig.engine).submit(build);
      if (stage === 'waiting') await podsThere(rig, build.pipelinerun);
      else await begun(rig, name, stage, 1);
      return rig.engine.cancel(build.tag);
    });
    for (const outcome of await Promise.all(cancelled))
      expect(outcome).toMatchObject({ ok: true, value: { state: 'cancelled' } });
    const left = { timeout: 60_000, interval: 200 };
    await vi.waitFor(async () => expect(await rig.processes()).toBe(0), left);

    const again = builds.map(async ({ build }) => {
      await rig.script(build.lock.name, all);
      expect(await rig.engine.submit(build)).toMatchObject({ kind: 'restarted' });
      return finished(build.tag);
    });
    for (const build of await Promise.all(again))
      expect(build).toMatchObject({ state: 'succeeded', attempt: 2 });
  });

  test('an API server that is away for half a minute delays what is told, and nothing else', async ({
    rig,
    until,
    onTestFinished,
  }) => {
    const server = new URL(rig.connection.server);
    await using line = await layLine(server);
    const tls = { ...rig.connection.tls, servername: 'kubernetes' };
    const connection = { ...rig.connection, server: `https://${line.host}`, tls };
    const far = rig.another({
      cluster: createTektonCluster(createKubernetesApi(connection), {
        namespace: rig.namespace,
        selector: tagLabel,
      }),
    });
    onTestFinished(() => far.close());
    const build = demoBuild();
    await rig.script(build.lock.name, [{ ...steps[0], does: 'wait' }, ...steps.slice(1)]);
    await far.submit(build);
    const watching = eventsOf(far, build.tag);
    await until(build.tag, 'step-started', 'image/one');
    line.cut();
    await rig.release(build.lock.name);
    await expect(far.get(build.tag)).rejects.toMatchObject({
      failures: [{ reason: 'cluster-unavailable' }],
    });
    await sleep(30_000);
    line.mend();
    const all = await eventsOf(rig.engine, build.tag);
    expect(all.at(-1)?.kind).toBe('succeeded');
    expect(byId(await watching)).toEqual(byId(all));
  });

  test('a task that takes too long ends, and says how it may take longer', async ({
    rig,
    finished,
  }) => {
    const impatient = rig.another({
      settings: {
        ...rig.settings,
        tasks: {
          ...rig.settings.tasks,
          assemble: { ...rig.settings.tasks.assemble, 'timeout-minutes': 0.2 },
        },
      },
    });
    const build = demoBuild();
    await rig.script(build.lock.name, [{ id: 'bundle', does: 'wait' }]);
    await impatient.submit(build);
    expect(await finished(build.tag)).toMatchObject({
      failure: { reason: 'step-timeout', step: 'bundle', owner: 'infrastructure' },
    });
  });
});

describeOnOurs('on a cluster that loses pods', { concurrent: true }, () => {
  test('a pod that somebody deletes is made again, and nothing else happens', async ({
    rig,
    finished,
  }) => {
    const build = demoBuild();
    await rig.script(build.lock.name, [{ ...steps[0], does: 'wait' }, ...steps.slice(1)]);
    await rig.engine.submit(build);
    const watching = eventsOf(rig.engine, build.tag);
    await begun(rig, build.lock.name, 'image/one', 1);
    await deletePods(rig, 'images');
    await begun(rig, build.lock.name, 'image/one', 2);
    await rig.release(build.lock.name);
    expect((await watching).at(-1)?.kind).toBe('succeeded');
    expect(await finished(build.tag)).toMatchObject({ state: 'succeeded', attempt: 1 });
  });

  test('a pod that the cluster ends fails its step, with what was followed of its log; asked again, it goes on', async ({
    rig,
    until,
    finished,
  }) => {
    const build = demoBuild();
    await rig.script(build.lock.name, [{ ...steps[0], does: 'wait' }, steps[2]]);
    await rig.engine.submit(build);
    await until(build.tag, 'step-started', 'image/one');
    const log = textOf(await rig.engine.log(build.tag, 'image/one', true, forever));
    await endPods(rig, 'images');
    expect(await finished(build.tag)).toMatchObject({
      state: 'failed',
      failure: { reason: 'step-crashed', owner: 'infrastructure', step: 'image/one' },
    });
    expect(await log).toMatch(/^compiling\n\[this log may lack its end: .*\]\n$/);
    await rig.script(build.lock.name, steps);
    expect(await rig.engine.submit(build)).toMatchObject({ kind: 'restarted' });
    expect(await finished(build.tag)).toMatchObject({ state: 'succeeded', attempt: 2 });
  });

  test('a pod that is evicted is made again, or fails its step, whichever Tekton sees; asked again, it goes on', async ({
    rig,
    finished,
  }) => {
    const build = demoBuild();
    await rig.script(build.lock.name, [{ ...steps[0], does: 'wait' }, steps[2]]);
    await rig.engine.submit(build);
    await begun(rig, build.lock.name, 'image/one', 1);
    await evictPods(rig, 'images');
    await vi.waitFor(async () => {
      const again = rig.server.starts(build.lock.name, 'image/one') === 2;
      expect(again || (await rig.engine.get(build.tag))?.state === 'failed').toBe(true);
    }, 60_000);
    await rig.release(build.lock.name);
    const first = await finished(build.tag);
    if (first.state === 'failed') {
      const { reason, owner, step } = first.failure ?? {};
      expect({ reason, owner, step }).toEqual({
        ...{ reason: 'step-crashed', owner: 'infrastructure', step: 'image/one' },
      });
      await rig.engine.submit(build);
    }
    expect(await finished(build.tag)).toMatchObject({ state: 'succeeded' });
    expect(rig.server.starts(build.lock.name, 'image/one')).toBe(2);
  });

  test('a task whose pod the cluster ends is begun again where the configuration says so', async ({
    rig,
    finished,
  }) => {
    const { tasks } = rig.settings;
    const images = { ...tasks.images, retries: 1 };
    const engine = rig.another({ settings: { ...rig.settings, tasks: { ...tasks, images } } });
    const build = demoBuild();
    await rig.script(build.lock.name, [{ ...steps[0], does: 'wait' }, steps[2]]);
    await engine.submit(build);
    const watching = eventsOf(engine, build.tag);
    await begun(rig, build.lock.name, 'image/one', 1);
    await endPods(rig, 'images');
    await begun(rig, build.lock.name, 'image/one', 2);
    await rig.release(build.lock.name);
    expect((await watching).at(-1)?.kind).toBe('succeeded');
    expect(await finished(build.tag)).toMatchObject({ state: 'succeeded', attempt: 1 });
  });
});
