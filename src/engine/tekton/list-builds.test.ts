import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { demoBuild } from '../../../test/support/demo-build.ts';
import { type ApiObject, FakeApiServer } from '../../../test/support/fake-api-server.ts';
import { MemoryRegistry } from '../../../test/support/memory-registry.ts';
import { pastOf } from '../../../test/support/past-of.ts';
import { createKubernetesApi } from '../../adapters/cluster/kubernetes-api.ts';
import { createTektonCluster } from '../../adapters/cluster/tekton-cluster.ts';
import type { BuildState } from '../../builds/build.ts';
import { eventId } from '../../builds/event.ts';
import { FailureError } from '../../builds/failure.ts';
import { foldBuild } from '../../builds/fold.ts';
import { Tekton } from '../../config/tekton.ts';
import type { ComponentName, Tag } from '../../plan/names.ts';
import type { Engine } from '../engine.ts';
import { type Attempts, keptBuild, packBuild } from './builds-of-runs.ts';
import type { Cluster } from './cluster.ts';
import { createTektonEngine, type TektonEngineOptions } from './create-tekton-engine.ts';
import { listBuilds } from './list-builds.ts';
import type { PastBuild } from './past-builds.ts';
import { renderPipelineSpec } from './render-pipeline.ts';
import { renderRun } from './render-run.ts';
import { outcomeAnnotation, tagLabel } from './run-names.ts';
import { RunSet } from './run-set.ts';

const path = '/apis/tekton.dev/v1/namespaces/builds/pipelineruns';
const settings = Tekton.parse({ image: 'tributary' });

describe('the builds of a namespace', () => {
  let server: FakeApiServer;
  let engine: Engine;
  beforeEach(async () => {
    server = await FakeApiServer.start();
  });
  afterEach(async () => {
    await engine.close();
    await server.stop();
  });

  function clusterOf(): Cluster {
    const api = createKubernetesApi(server.connection);
    return createTektonCluster(api, { namespace: 'builds', selector: tagLabel });
  }

  function open(past: TektonEngineOptions['past'] = none): Engine {
    engine = createTektonEngine({
      cluster: clusterOf(),
      ...{ settings, past, url: undefined, notify: () => {}, now: () => new Date() },
      registry: async () => new MemoryRegistry(),
      report: (text) => {
        throw new Error(text);
      },
    });
    return engine;
  }

  /** A run as Tekton leaves it, of which some replica kept what it came to. */
  function finish(
    name: string,
    hour: number,
    state: 'succeeded' | 'failed' = 'succeeded',
    requester = 'ada',
  ): Tag {
    const asked = { ...demoBuild(name), requester };
    const now = new Date(Date.UTC(2026, 0, 1, hour));
    const options = { attempt: 1, namespace: 'builds', url: undefined, submission: 'x' };
    const { metadata, ...run } = renderRun(asked, { ...options, settings, now });
    const at = now.toISOString();
    const change =
      state === 'failed' ? ({ kind: state, failures: [] } as const) : ({ kind: state } as const);
    const build = foldBuild(asked, [
      { kind: 'queued', id: '1/build/queued', at, attempt: 1 },
      { ...change, id: eventId(1, change), at, attempt: 1 },
    ]);
    server.put(path, {
      ...run,
      metadata: {
        ...metadata,
        annotations: { ...metadata.annotations, [outcomeAnnotation]: packBuild(build) },
        ...{ uid: name, creationTimestamp: at },
      },
      status: {
        ...{ startTime: at, completionTime: at, pipelineSpec: renderPipelineSpec() },
        conditions: [
          { type: 'Succeeded', status: state === 'failed' ? 'False' : 'True', reason: 'Done' },
        ],
        childReferences: ['prepare', 'payload', 'images', 'assemble', 'report'].map((task) => ({
          ...{ apiVersion: 'tekton.dev/v1', kind: 'TaskRun', name: `${metadata.name}-${task}` },
          pipelineTaskName: task,
        })),
      },
    });
    return asked.tag;
  }

  const namesOf = async (query: object) =>
    (await engine.list({ limit: 100, ...query })).builds.map(({ name }) => name);

  test('are found by state, name, component and requester, without anything else being read', async () => {
    const account = 'system:serviceaccount:team:grace';
    finish('one', 1, 'succeeded', account);
    finish('two', 2, 'failed');
    finish('three', 3);
    open();
    expect(await namesOf({})).toEqual(['three', 'two', 'one']);
    expect(await namesOf({ state: 'failed' as BuildState })).toEqual(['two']);
    expect(await namesOf({ name: 'one' })).toEqual(['one']);
    expect(await namesOf({ component: 'tektoncd/pipeline' })).toHaveLength(3);
    expect(await namesOf({ requester: account })).toEqual(['one']);
    expect(await namesOf({ requester: 'ada', state: 'succeeded' })).toEqual(['three']);
    expect(await namesOf({ requester: 'grace' })).toEqual([]);
    expect(await namesOf({ component: 'tektoncd/triggers' as ComponentName })).toEqual([]);
    expect(server.requests.filter((one) => !one.endsWith(path))).toEqual([]);
  });

  test('are two thousand, listed page by page from what is known, each once', async () => {
    for (let index = 0; index < 2000; index += 1) finish(`build-${index}`, index);
    open();
    const began = performance.now();
    await engine.list({ limit: 20 });
    const first = performance.now() - began;
    const seen: string[] = [];
    let slowest = 0;
    for (let after: string | null | undefined; after !== null; ) {
      const start = performance.now();
      const page = await engine.list({ limit: 100, ...(after !== undefined && { after }) });
      slowest = Math.max(slowest, performance.now() - start);
      seen.push(...page.builds.map(({ name }) => name));
      after = page.next;
    }
    expect(seen).toEqual(Array.from({ length: 2000 }, (_, index) => `build-${1999 - index}`));
    // All runs are read once, in pages; afterwards nothing is asked.
    expect(server.requests.filter((one) => one.startsWith('GET'))).toHaveLength(8);
    expect(first).toBeLessThan(10_000);
    expect(slowest).toBeLessThan(1000);
  });

  test('tell of one of them by asking for its name, however many there are', async () => {
    for (let index = 0; index < 300; index += 1) finish(`build-${index}`, index);
    open();
    await engine.list({ limit: 1 });
    const { tag, pipelinerun } = demoBuild('build-7');
    const before = server.requests.length;
    expect(await engine.get(tag)).toMatchObject({ name: 'build-7', state: 'succeeded' });
    const asked = server.requests.slice(before).filter((one) => !one.startsWith('WATCH'));
    expect(asked).toEqual([`GET ${path}/${pipelinerun}`, `GET ${path}/${pipelinerun}-r2`]);
  });

  test('that run are worked out some at a time, and listed in their order', async () => {
    const names = Array.from({ length: 25 }, (_, index) => `build-${index}`);
    for (const [index, name] of names.entries()) finish(name, index);
    open();
    const runs = new RunSet(clusterOf());
    let now = 0;
    let most = 0;
    const statusOf = async (attempts: Attempts) => {
      most = Math.max(most, ++now);
      await sleep(20 * Math.random());
      now -= 1;
      return keptBuild(attempts[0]) ?? Promise.reject(new Error('not kept'));
    };
    const page = await listBuilds({ limit: 22 }, { runs, past: none, statusOf });
    expect(page.builds.map(({ name }) => name)).toEqual(names.toReversed().slice(0, 22));
    const rest = await listBuilds(
      { limit: 3, after: page.next ?? '' },
      { runs, past: none, statusOf },
    );
    expect(rest).toMatchObject({ builds: [2, 1, 0].map((name) => ({ name: `build-${name}` })) });
    expect(rest.next).toBeNull();
    expect(most).toBe(10);
    runs.close();
  });

  test('are counted by what their runs tell, without anything else being read', async () => {
    finish('over', 1);
    open();
    for (const name of ['waits', 'runs', 'begins']) await engine.submit(demoBuild(name));
    for (const name of ['runs', 'begins']) {
      const run = server.get(path, demoBuild(name).pipelinerun) as ApiObject;
      server.put(path, { ...run, status: { startTime: '2026-01-01T00:00:00Z' } });
    }
    await engine.close();
    open();
    const before = server.requests.length;
    expect(await engine.countOpen()).toEqual({ queued: 1, running: 2 });
    expect(server.requests.slice(before).filter((one) => !one.endsWith(` ${path}`))).toEqual([]);
  });

  test('that were pruned come after those that are there, from their records', async () => {
    finish('there', 1);
    const both = finish('both', 2);
    const past = ['pruned', 'old'].map((name, index) => pastBuild(name, index));
    open(pastOf(past, { tags: async () => [both, ...past.map(({ asked }) => asked.tag)] }));
    const first = await engine.list({ limit: 3 });
    expect(first.builds.map(({ name }) => name)).toEqual(['both', 'there', 'old']);
    const second = await engine.list({ limit: 3, after: first.next ?? '' });
    expect(second).toMatchObject({ builds: [{ name: 'pruned' }], next: null });
    const { tag } = demoBuild('old');
    expect(await engine.get(tag)).toMatchObject({ name: 'old', state: 'succeeded' });
    expect(await engine.submit(demoBuild('old'))).toMatchObject({ kind: 'known' });
    expect(await engine.cancel(tag)).toMatchObject({ failures: [{ reason: 'already-finished' }] });
  });

  const unanswered = {
    reason: 'registry-unavailable',
    detail: expect.stringMatching(/^Builds may be missing here, .*: The registry is away\.$/),
    hint: 'Ask again.',
  };

  test('that are there are listed while the registry is away, and the page says what it lacks', async () => {
    finish('there', 1);
    finish('failed', 2, 'failed');
    open(pastOf([], { find: () => Promise.reject(away), tags: () => Promise.reject(away) }));
    const page = await engine.list({ limit: 100 });
    expect(page).toMatchObject({ next: null, incomplete: unanswered });
    expect(page.builds.map(({ name }) => name)).toEqual(['failed', 'there']);
    // What needs no record is whole.
    expect(await engine.list({ limit: 1 })).not.toHaveProperty('incomplete');
    expect(await engine.list({ limit: 100, state: 'running' })).toEqual({ builds: [], next: null });
  });

  test('whose records can be read are listed where others cannot', async () => {
    const [good, bad] = [pastBuild('good', 1), pastBuild('bad', 2)];
    const find = async (tag: Tag) => (tag === good.asked.tag ? good : Promise.reject(away));
    open(pastOf([bad, good], { find }));
    const page = await engine.list({ limit: 100 });
    expect(page).toMatchObject({ builds: [{ name: 'good' }], incomplete: unanswered });
  });

  test('fail as a whole where something else is wrong than the registry', async () => {
    open(pastOf([], { tags: () => Promise.reject(new Error('a bug')) }));
    await expect(engine.list({ limit: 100 })).rejects.toThrow('a bug');
  });
});

const away = new FailureError({
  ...{ reason: 'registry-unavailable', detail: 'The registry is away.', hint: 'Ask again.' },
});

const none = pastOf([]);

function pastBuild(name: string, year: number): PastBuild {
  const asked = demoBuild(name);
  const at = new Date(Date.UTC(2000 + year, 0)).toISOString();
  const events = (['queued', 'succeeded'] as const).map((kind) => ({
    ...{ kind, id: `1/build/${kind}`, at, attempt: 1 },
  }));
  return { asked, events, build: foldBuild(asked, events), log: async () => undefined };
}
