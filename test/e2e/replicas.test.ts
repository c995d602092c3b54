import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createKubernetesApi } from '../../src/adapters/cluster/kubernetes-api.ts';
import { createTektonCluster } from '../../src/adapters/cluster/tekton-cluster.ts';
import type { BuildEvent } from '../../src/builds/event.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { actionsOn, forever } from '../../src/engine/engine-rig.ts';
import { tagLabel } from '../../src/engine/tekton/run-names.ts';
import type { Tag } from '../../src/plan/names.ts';
import { testCluster } from '../support/cluster.ts';
import { layLine } from '../support/cuttable-line.ts';
import { demoBuild } from '../support/demo-build.ts';
import { makeTektonRig, type TektonRig } from '../support/tekton-rig.ts';

const steps = [
  { id: 'image/one', group: 'a', logs: ['compiling'] },
  { id: 'image/two', group: 'b' },
  { id: 'bundle' },
] as const;

async function eventsOf(engine: Engine, tag: Tag, after?: string): Promise<BuildEvent[]> {
  const all: BuildEvent[] = [];
  for await (const event of engine.events(tag, after, forever)) all.push(event);
  return all;
}

async function textOf(pieces: AsyncIterable<string> | undefined): Promise<string> {
  let text = '';
  for await (const piece of pieces ?? []) text += piece;
  return text;
}

describe('on a cluster', () => {
  let rig: TektonRig;
  beforeEach(async () => {
    rig = await makeTektonRig(testCluster());
  });
  afterEach(() => rig.close());
  const { until, finished } = actionsOn(() => rig);

  const pods = `/api/v1/namespaces/`;
  const deletePod = async (task: string) => {
    const path = `${pods}${rig.namespace}/pods`;
    const query = { labelSelector: `tekton.dev/pipelineTask=${task}` };
    const list = (await rig.api.ask('GET', path, { query })) as {
      items: { metadata: { name: string } }[];
    };
    for (const { metadata } of list.items)
      await rig.api.ask('DELETE', `${path}/${metadata.name}`, {
        query: { gracePeriodSeconds: 0 },
      });
    return list.items.length;
  };

  test('fifty same requests through two replicas are one run, and both answer alike', async () => {
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
    expect(two).toEqual(one);
    expect(three).toEqual(one);

    const fresh = rig.another();
    expect(await eventsOf(fresh, build.tag)).toEqual(one);
    const middle = one[Math.floor(one.length / 2)]?.id;
    expect(await eventsOf(fresh, build.tag, middle)).toEqual(
      one.slice(Math.floor(one.length / 2) + 1),
    );
    expect(await fresh.get(build.tag)).toEqual(await rig.engine.get(build.tag));
    const log = await fresh.log(build.tag, 'image/one', false, forever);
    expect(await textOf(log)).toBe('compiling\nreleased\n');
    expect((await fresh.list({ limit: 10 })).builds).toEqual([await fresh.get(build.tag)]);
  });

  test('a pod that is lost fails its step, with what was followed of its log; asked again, it goes on', async () => {
    const build = demoBuild();
    await rig.script(build.lock.name, [{ ...steps[0], does: 'wait' }, ...steps.slice(1)]);
    await rig.engine.submit(build);
    const log = textOf(
      await (async () => {
        await until(build.tag, 'step-started', 'image/one');
        return rig.engine.log(build.tag, 'image/one', true, forever);
      })(),
    );
    await sleep(500);
    expect(await deletePod('images')).toBeGreaterThan(0);
    const ended = await finished(build.tag);
    expect(ended).toMatchObject({
      state: 'failed',
      failure: { reason: 'step-crashed', owner: 'infrastructure', step: 'image/one' },
    });
    expect(await log).toMatch(/^compiling\n\[this log may lack its end: .*\]\n$/);
    await rig.script(build.lock.name, steps);
    expect(await rig.engine.submit(build)).toMatchObject({ kind: 'restarted' });
    expect(await finished(build.tag)).toMatchObject({ state: 'succeeded', attempt: 2 });
  });

  test('a task whose pod is lost is begun again where the configuration says so', async () => {
    const { tasks } = rig.settings;
    const images = { ...tasks.images, retries: 1 };
    const engine = rig.another({ settings: { ...rig.settings, tasks: { ...tasks, images } } });
    const build = demoBuild();
    await rig.script(build.lock.name, [{ ...steps[0], does: 'wait' }, steps[2]]);
    await engine.submit(build);
    const watching = eventsOf(engine, build.tag);
    await until(build.tag, 'step-started', 'image/one');
    expect(await deletePod('images')).toBe(1);
    await vi.waitFor(async () => expect(await rig.starts(build.lock.name, 'image/one')).toBe(2), {
      timeout: 60_000,
      interval: 200,
    });
    await rig.release(build.lock.name);
    expect((await watching).at(-1)?.kind).toBe('succeeded');
    expect(await finished(build.tag)).toMatchObject({ state: 'succeeded', attempt: 1 });
    expect(await eventsOf(rig.another(), build.tag)).toEqual(await watching);
  });

  test('a run that somebody removes ends for whoever watches, and may be asked for again', async () => {
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

  test('an API server that is away for half a minute delays what is told, and nothing else', async () => {
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
    expect(await watching).toEqual(all);
  });

  test('a task that takes too long ends, and says how it may take longer', async () => {
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
