import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Build } from '../../src/builds/build.ts';
import type { BuildEvent } from '../../src/builds/event.ts';
import { labelValue } from '../../src/engine/tekton/run-names.ts';
import { describeOnOurs, type TestCluster, testCluster } from '../support/cluster.ts';
import { type ClusterDemo, startClusterDemo } from '../support/cluster-demo.ts';
import type { Replica } from '../support/deployed-service.ts';
import { deployScripted, type ScriptedService } from '../support/scripted-service.ts';

/** What may happen to a build and to the service, tried on the service as it is installed, with steps of a moment. */
let cluster: TestCluster;
let demo: ClusterDemo;
let service: ScriptedService;

const steps = [
  { id: 'image/one', group: 'a', logs: ['compiling'] },
  { id: 'image/two', group: 'b' },
  { id: 'bundle' },
] as const;
const waiting = [{ ...steps[0], does: 'wait' }, ...steps.slice(1)] as const;
const component = 'tektoncd/pipeline';

function request(name: string): object {
  return { name, components: { [component]: `${component}#4638` } };
}

async function anyReplica(): Promise<Replica> {
  const [replica] = await service.whole();
  if (replica === undefined) throw new Error('no replica is ready');
  return replica;
}

/** Asks for a build, and gives its answer. */
async function ask(name: string): Promise<Build> {
  const { status, body } = await service.post(await anyReplica(), '/', request(name));
  expect(status, JSON.stringify(body)).toBe(201);
  return body;
}

async function finished(tag: string): Promise<Build> {
  await service.follow(tag);
  return (await service.get(await anyReplica(), `/api/builds/${tag}`)).body;
}

function begun(name: string, step: string, times = 1): Promise<void> {
  return vi.waitFor(() => expect(service.server.starts(name, step)).toBe(times), {
    ...{ timeout: 60_000, interval: 100 },
  });
}

function runsOf(name: string): Promise<string> {
  const labels = ['--selector', `tributary.dev/name=${name}`, '--output=name'];
  return service.space.kubectl(['get', 'pipelineruns', ...labels]);
}

describeOnOurs('the installed service', {}, () => {
  beforeAll(async () => {
    cluster = testCluster();
    demo = await startClusterDemo(cluster);
    service = await deployScripted(cluster, demo);
  });
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    await demo?.[Symbol.asyncDispose]();
  });

  describe('while everything runs', { concurrent: true }, () => {
    test('takes fifty same requests at once through both replicas for one, and both answer alike', async () => {
      const replicas = await service.whole();
      expect(replicas).toHaveLength(2);
      const [one, two] = replicas as [Replica, Replica];
      service.server.script('fifty', waiting);
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          service.post(index % 2 === 0 ? one : two, '/', request('fifty')),
        ),
      );
      const statuses = answers.map(({ status }) => status).toSorted();
      expect(statuses).toEqual([...Array.from({ length: 49 }, () => 200), 201]);
      const same = answers.map(({ body: { tag, pipelinerun, links } }) => ({
        ...{ tag, pipelinerun, links },
      }));
      expect(same).toEqual(same.map(() => same[0]));
      const { tag, pipelinerun, links } = same[0] as Build & { links: { self: string } };
      expect(await runsOf('fifty')).toBe(`pipelinerun.tekton.dev/${pipelinerun}\n`);

      await begun('fifty', 'image/one');
      service.server.release('fifty');
      const { events } = await service.follow(tag);
      expect(events.at(-1)?.kind).toBe('succeeded');
      const log = `/api/builds/${tag}/steps/image%2Fone/log`;
      for (const path of [`/api/builds/${tag}`, `/api/builds?component=${component}&name=fifty`]) {
        const answered = await service.get(one, path);
        expect(answered.status).toBe(200);
        expect(await service.get(two, path)).toEqual(answered);
      }
      expect(await service.text(one, log)).toBe('compiling\nreleased\n');
      expect(await service.text(two, log)).toBe('compiling\nreleased\n');

      const requester = `system:serviceaccount:${service.space.name}:ada`;
      const shown = await service.space.kubectl([
        ...['get', 'pipelineruns', '--output'],
        'jsonpath={range .items[*]}{.metadata.name} {.metadata.annotations.tributary\\.dev/link}{"\\n"}{end}',
        '--selector',
        `component.tributary.dev/tektoncd.pipeline,tributary.dev/name=fifty,tributary.dev/requester=${labelValue(requester)}`,
      ]);
      expect(shown).toBe(`${pipelinerun} ${links.self}\n`);
      expect(pipelinerun).toMatch(/fifty|[0-9a-f]{6}/);
    });

    test('tells of a step that takes more memory than it may how to give it more', async () => {
      service.server.script('memory', [{ id: 'image/one', does: 'fill-memory' }, { id: 'bundle' }]);
      const { tag } = await ask('memory');
      const { state, failure } = await finished(tag);
      expect({ state, failure }).toMatchObject({
        state: 'failed',
        failure: {
          ...{ reason: 'step-crashed', owner: 'infrastructure', step: 'image/one' },
          detail: expect.stringContaining('memory'),
          hint: expect.stringContaining('tekton: {tasks: {images: {limits: {memory: …}}}}'),
        },
      });
    });

    test("brings builds to their end when Tekton's controller is started anew", async () => {
      service.server.script('controller', waiting);
      const { tag } = await ask('controller');
      await begun('controller', 'image/one');
      const controller = [
        '--namespace=tekton-pipelines',
        '--selector=app=tekton-pipelines-controller',
      ];
      await cluster.kubectl(['delete', 'pod', ...controller, '--force', '--grace-period=0']);
      service.server.release('controller');
      expect(await finished(tag)).toMatchObject({ state: 'succeeded', attempt: 1 });
      expect(service.server.starts('controller', 'image/one')).toBe(1);
    });
  });

  test('leaves one run where a replica is killed while it is asked', async () => {
    const [one, two] = (await service.whole()) as [Replica, Replica];
    service.server.script('asked', steps);
    const asked = Array.from({ length: 10 }, () => service.post(one, '/', request('asked')));
    const [answers] = await Promise.all([Promise.allSettled(asked), service.kill(one)]);
    const again = await service.post(two, '/', request('asked'));
    const heard = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    // Who is told no tag is told that it was not their fault.
    for (const { status, body } of heard)
      if (status < 300) expect(body.tag).toBe(again.body.tag);
      else expect(status, JSON.stringify(body)).toBeGreaterThanOrEqual(500);
    expect(await runsOf('asked')).toBe(`pipelinerun.tekton.dev/${again.body.pipelinerun}\n`);
    expect(await finished(again.body.tag)).toMatchObject({ state: 'succeeded', attempt: 1 });
  });

  test('loses nothing of a build when all of its replicas are killed, for those who follow neither', async () => {
    service.server.script('killed', waiting);
    const { tag } = await ask('killed');
    const following = service.follow(tag);
    await begun('killed', 'image/one');
    await service.kill(...(await service.whole()));
    service.server.release('killed');
    const { events, breaks } = await following;
    expect(breaks).toBeGreaterThan(0);
    expect(events.at(-1)?.kind).toBe('succeeded');
    // When a run started Tekton may say twice, and differently.
    const sorted = (all: readonly BuildEvent[]) =>
      all
        .map((event) => (event.kind === 'started' ? { ...event, at: '' } : event))
        .toSorted((a, b) => (a.id < b.id ? -1 : 1));
    expect(sorted(events)).toEqual(sorted((await service.follow(tag)).events));
    expect(await finished(tag)).toMatchObject({ state: 'succeeded', attempt: 1 });
  });

  test('tells of builds whose runs are gone what it told before, in a fresh replica', async () => {
    const { kubectl } = service.space;
    const read = async (path: string) => (await service.get(await anyReplica(), path)).body;
    const list = async () => withoutTimes(await read(`/api/builds?component=${component}`));
    const before = await list();
    const { tag, pipelinerun } = await read('/api/builds?name=fifty').then(
      ({ builds }) => builds[0],
    );

    // One that ended long ago is removed by the CronJob, and no other.
    const longAgo = JSON.stringify({ status: { completionTime: '2026-01-01T00:00:00Z' } });
    const status = ['--subresource=status', '--type=merge', '--patch', longAgo];
    await kubectl(['patch', 'pipelinerun', pipelinerun, ...status]);
    await kubectl(['create', 'job', 'prune-now', '--from=cronjob/tributary-prune']);
    await kubectl(['wait', '--for=condition=complete', 'job/prune-now', '--timeout=60s']);
    expect((await kubectl(['logs', 'job/prune-now'])).split('\n')).toEqual([
      `removed  ${pipelinerun}`,
      expect.stringMatching(/^1 runs of builds/),
      '',
    ]);
    expect(await runsOf('fifty')).toBe('');

    await kubectl(['delete', 'pipelineruns', '--all']);
    await service.kill(...(await service.whole()));
    expect(await list()).toEqual(before);
    expect((await service.follow(tag)).events.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['queued', 'step-started', 'step-finished', 'succeeded']),
    );
    const log = `/api/builds/${tag}/steps/image%2Fone/log`;
    expect(await service.text(await anyReplica(), log)).toContain('compiling\nreleased\n');
  });
});

/** The same builds in the same order; a run and a record know times to another digit. */
function withoutTimes({ builds }: { builds: Build[] }) {
  return builds.map(({ tag, state, attempt, requester, pipelinerun, failure, steps, images }) => ({
    ...{ tag, state, attempt, requester, pipelinerun, images },
    failure: failure && { reason: failure.reason, step: failure.step },
    steps: steps.map(({ id, state: of }) => `${id} ${of}`),
  }));
}
