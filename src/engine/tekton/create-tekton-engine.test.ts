import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { demoBuild } from '../../../test/support/demo-build.ts';
import { type ApiObject, FakeApiServer } from '../../../test/support/fake-api-server.ts';
import { MemoryRegistry } from '../../../test/support/memory-registry.ts';
import { pastOf } from '../../../test/support/past-of.ts';
import { createKubernetesApi } from '../../adapters/cluster/kubernetes-api.ts';
import { createTektonCluster } from '../../adapters/cluster/tekton-cluster.ts';
import type { Build } from '../../builds/build.ts';
import { foldBuild } from '../../builds/fold.ts';
import { Tekton } from '../../config/tekton.ts';
import { outcomeReference, writeOutcome } from '../../steps/task-outcome.ts';
import type { Engine } from '../engine.ts';
import { forever } from '../engine-rig.ts';
import type { Cluster } from './cluster.ts';
import { createTektonEngine, type TektonEngineOptions } from './create-tekton-engine.ts';
import { cancelAnnotation, outcomeAnnotation, tagLabel } from './run-names.ts';

const path = '/apis/tekton.dev/v1/namespaces/builds/pipelineruns';

describe('the engine of a cluster', () => {
  let server: FakeApiServer;
  const engines: Engine[] = [];
  const told: string[] = [];
  beforeEach(async () => {
    server = await FakeApiServer.start();
  });
  afterEach(async () => {
    await Promise.all(engines.splice(0).map((engine) => engine.close()));
    await server.stop();
    told.length = 0;
  });

  function clusterOf(): Cluster {
    const patience = { total: 1000, first: 10, longest: 50 };
    const api = createKubernetesApi(server.connection, { patience });
    return createTektonCluster(api, { namespace: 'builds', selector: tagLabel });
  }

  function open(options: Partial<TektonEngineOptions> = {}): Engine {
    const engine = createTektonEngine({
      cluster: clusterOf(),
      settings: Tekton.parse({ image: 'tributary' }),
      ...{ url: undefined, now: () => new Date() },
      registry: async () => new MemoryRegistry(),
      past: pastOf([]),
      notify: (build, targets, moment) =>
        void told.push(`${moment} ${build.state} ${targets.join()}`),
      report: () => {},
      ...options,
    });
    engines.push(engine);
    return engine;
  }

  /** What Tekton says of a run. */
  function condition(
    name: string,
    status: 'True' | 'False',
    reason: string,
    children: readonly string[] = [],
  ): void {
    const run = server.get(path, name) as ApiObject & { spec: object };
    const at = new Date().toISOString();
    const conditions = [{ type: 'Succeeded', status, reason, message: `says Tekton: ${reason}` }];
    const childReferences = children.map((child) => ({ name: child }));
    const state = { startTime: at, completionTime: at, conditions, childReferences };
    server.put(path, { ...run, spec: run.spec, status: state });
  }

  const uidOf = (run: string) => String(server.get(path, run)?.metadata['uid']);

  /** The task `prepare` of a run, which failed. */
  function taskOf(run: string, name: string): void {
    const uid = uidOf(run);
    const at = new Date().toISOString();
    const message = `says the test of ${name}`;
    const conditions = [{ type: 'Succeeded', status: 'False', reason: 'Failed', message }];
    server.put(path.replace('pipelineruns', 'taskruns'), {
      metadata: {
        ...{ name: `${run}-${name}`, uid: name, creationTimestamp: at, ownerReferences: [{ uid }] },
        labels: { 'tekton.dev/pipelineRun': run, 'tekton.dev/pipelineTask': 'prepare' },
      },
      ...{ spec: {}, status: { startTime: at, completionTime: at, conditions } },
    });
  }

  const annotation = (run: string, name: string) =>
    (server.get(path, run)?.metadata['annotations'] as Record<string, string> | undefined)?.[name];

  test('of fifty same requests to two of them, one creates the run, and tells of the start', async () => {
    const [one, two] = [open(), open()];
    const build = { ...demoBuild(), notify: ['team'] };
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => (index % 2 ? one : two).submit(build)),
    );
    expect(answers.map(({ kind }) => kind).toSorted()).toEqual([
      'created',
      ...Array.from({ length: 49 }, () => 'known'),
    ]);
    expect(told).toEqual(['started queued team']);
  });

  test('knows its own run again where the answer was lost on its way', async () => {
    server.loseAnswers(1);
    expect(await open().submit(demoBuild())).toMatchObject({ kind: 'created' });
  });

  test('takes a run that somebody else made under its name for taken', async () => {
    const build = demoBuild();
    server.put(path, {
      spec: {},
      metadata: {
        ...{ name: build.pipelinerun, uid: 'x', creationTimestamp: new Date().toISOString() },
      },
    });
    expect(await open().submit(build)).toEqual({ kind: 'taken' });
  });

  test('goes on with a build that began while all runs were listed', async () => {
    for (let index = 0; index < 300; index += 1) {
      const metadata = { name: `other-${index}`, uid: `${index}`, labels: { [tagLabel]: 'other' } };
      const creationTimestamp = '2026-01-01T00:00:00Z';
      server.put(path, { metadata: { ...metadata, creationTimestamp }, spec: {} });
    }
    const release = Promise.withResolvers<void>();
    server.holdPages(release.promise);
    const engine = open();
    const listing = engine.list({ limit: 1 });
    await vi.waitFor(() => expect(server.requests).toEqual([`GET ${path}`, `GET ${path}`]));
    const build = demoBuild();
    expect(await engine.submit(build)).toMatchObject({ kind: 'created' });
    release.resolve();
    await listing;
    expect(await engine.submit(build)).toMatchObject({ kind: 'known', build: { state: 'queued' } });
    expect(await engine.get(build.tag)).toMatchObject({ state: 'queued', attempt: 1 });
  });

  test('takes nothing that a removed run left for what its successor of the same name did', async () => {
    const registry = new MemoryRegistry();
    const engine = open({ registry: async () => registry });
    const build = demoBuild();
    const failedWith = async () => (await engine.get(build.tag))?.failure?.detail;
    await engine.submit(build);
    const first = uidOf(build.pipelinerun);
    const failures = [{ reason: 'merge-conflict', detail: 'It conflicted.', hint: '' }] as const;
    const at = new Date().toISOString();
    const messages = [{ at, kind: 'step-failed', step: 'prepare', failures }] as const;
    await writeOutcome(registry, tmpdir(), outcomeReference(build, first, 'prepare'), {
      ...{ messages, logs: new Map() },
    });
    taskOf(build.pipelinerun, 'first');
    condition(build.pipelinerun, 'False', 'Failed');
    expect(await failedWith()).toBe('It conflicted.');

    server.remove(path, build.pipelinerun);
    expect(await engine.submit(build)).toMatchObject({ kind: 'created', build: { attempt: 1 } });
    taskOf(build.pipelinerun, 'second');
    condition(build.pipelinerun, 'False', 'Failed', [`${build.pipelinerun}-second`]);
    expect(await failedWith()).toContain('says the test of second');
  });

  test('tells how far a build is while the registry is away, and what it came to when that is back', async () => {
    let away = true;
    const registry = new MemoryRegistry();
    const engine = open({
      registry: () => (away ? Promise.reject(new Error('away')) : Promise.resolve(registry)),
    });
    const build = demoBuild();
    await engine.submit(build);
    taskOf(build.pipelinerun, 'first');
    expect(await engine.get(build.tag)).toMatchObject({ state: 'queued' });
    away = false;
    condition(build.pipelinerun, 'False', 'Failed');
    expect(await engine.get(build.tag)).toMatchObject({ state: 'failed' });
  });

  test('tells of attempts one after the other, though what the first one came to is known last', async () => {
    let away = true;
    const registry = new MemoryRegistry();
    const engine = open({
      registry: () => (away ? Promise.reject(new Error('away')) : Promise.resolve(registry)),
    });
    const other = open({ registry: async () => registry });
    const build = demoBuild();
    await other.submit(build);
    const heard: string[] = [];
    const reading = (async () => {
      for await (const { attempt, kind } of engine.events(build.tag, forever))
        heard.push(`${attempt} ${kind}`);
    })();
    await vi.waitFor(() => expect(heard).toEqual(['1 queued']), 10_000);
    taskOf(build.pipelinerun, 'first');
    condition(build.pipelinerun, 'False', 'Failed', [`${build.pipelinerun}-first`]);
    expect(await other.submit(build)).toMatchObject({ kind: 'restarted' });
    condition(`${build.pipelinerun}-r2`, 'False', 'CouldntGetPipeline');
    await vi.waitFor(() => expect(heard).toContain('1 started'), 10_000);
    away = false;
    await reading;
    const attempts = heard.map((line) => line[0]);
    expect(attempts).toEqual(attempts.toSorted());
    expect(heard.filter((line) => line.endsWith(' failed'))).toEqual(['1 failed', '2 failed']);
  });

  test('a target that cannot be told is no reason why nothing is built', async () => {
    const notify = () => Promise.reject(new Error('no route to host'));
    expect(await open({ notify }).submit(demoBuild())).toMatchObject({ kind: 'created' });
  });

  test('what the cluster cannot run fails with what it says, and may be asked for again', async () => {
    const engine = open();
    const build = demoBuild();
    await engine.submit(build);
    condition(build.pipelinerun, 'False', 'CouldntGetPipeline');
    expect(await engine.get(build.tag)).toMatchObject({
      state: 'failed',
      failure: {
        ...{ reason: 'run-refused', owner: 'infrastructure' },
        detail: expect.stringContaining('says Tekton'),
      },
    });
    expect(await engine.submit(build)).toMatchObject({
      ...{ kind: 'restarted', build: { attempt: 2, pipelinerun: `${build.pipelinerun}-r2` } },
    });
  });

  test('keeps on the run what it came to, which others then read', async () => {
    const build = demoBuild();
    const one = open();
    await one.submit(build);
    condition(build.pipelinerun, 'False', 'CouldntGetPipeline');
    const known = await one.get(build.tag);
    await vi.waitFor(() =>
      expect(annotation(build.pipelinerun, outcomeAnnotation)).toMatch(/^failed /),
    );
    const before = server.requests.length;
    expect(await open().get(build.tag)).toEqual(known);
    // Of tasks and pods nothing is asked.
    expect(server.requests.slice(before).filter((one) => !one.endsWith(` ${path}`))).toEqual([]);
  });

  test('cancels by what Tekton understands, and tells of the end', async () => {
    const engine = open();
    const build = { ...demoBuild(), notify: ['team'] };
    await engine.submit(build);
    const cancelling = engine.cancel(build.tag);
    await vi.waitFor(() =>
      expect(server.get(path, build.pipelinerun)?.['spec']).toMatchObject({ status: 'Cancelled' }),
    );
    expect(annotation(build.pipelinerun, cancelAnnotation)).toMatch(/^20/);
    condition(build.pipelinerun, 'False', 'Cancelled');
    expect(await cancelling).toMatchObject({ ok: true, value: { state: 'cancelled' } });
    expect(told).toEqual(['started queued team', 'finished cancelled team']);
    expect(await engine.cancel(build.tag)).toMatchObject({
      failures: [{ reason: 'already-finished' }],
    });
  });

  test('says of a build that ends while it is being cancelled how it ended', async () => {
    const build = demoBuild();
    const cluster = clusterOf();
    const engine = open({
      cluster: {
        ...cluster,
        change(name, change) {
          if (change.cancel) condition(name, 'False', 'CouldntGetPipeline');
          return cluster.change(name, change);
        },
      },
    });
    await engine.submit(build);
    expect(await engine.cancel(build.tag)).toMatchObject({
      failures: [{ reason: 'already-finished', detail: expect.stringContaining('failed') }],
    });
    expect(await engine.get(build.tag)).toMatchObject({ failure: { reason: 'run-refused' } });
  });

  test('goes on counting attempts where the runs before were pruned', async () => {
    const asked = demoBuild();
    const at = new Date(0).toISOString();
    const events = (['queued', 'started', 'cancelled'] as const).map((kind) => ({
      ...{ kind, id: `3/build/${kind}`, at, attempt: 3 },
    }));
    const build: Build = foldBuild(asked, events);
    const past = { asked, build, events, log: async () => undefined };
    const engine = open({ past: pastOf([past]) });
    expect(await engine.get(asked.tag)).toMatchObject({ state: 'cancelled', attempt: 3 });
    expect(await engine.submit(asked)).toMatchObject({
      ...{ kind: 'restarted', build: { attempt: 4, pipelinerun: `${asked.pipelinerun}-r4` } },
    });
  });

  test('creates a run also where the registry does not say whether there was one before', async () => {
    const find = () => Promise.reject(new Error('connection refused'));
    const engine = open({ past: pastOf([], { find }) });
    expect(await engine.submit(demoBuild())).toMatchObject({ kind: 'created' });
    await expect(engine.get(demoBuild('other').tag)).rejects.toThrow('connection refused');
  });

  test('says so while the API server does not answer, and answers when it is back', async () => {
    const engine = open();
    const build = demoBuild();
    await engine.submit(build);
    await server.stop();
    await expect(engine.get(build.tag)).rejects.toMatchObject({
      failures: [{ reason: 'cluster-unavailable' }],
    });
    await server.restart();
    expect(await engine.get(build.tag)).toMatchObject({ state: 'queued' });
  });
});
