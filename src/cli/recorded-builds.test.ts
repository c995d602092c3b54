import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { demoBuild } from '../../test/support/demo-build.ts';
import { startRegistry, type TestRegistry } from '../../test/support/registry.ts';
import { createRegistry } from '../adapters/registry/registry.ts';
import type { NewBuild } from '../builds/build.ts';
import { type BuildChange, eventId } from '../builds/event.ts';
import { foldBuild } from '../builds/fold.ts';
import { reportAlone } from '../builds/planned-steps.ts';
import { Configuration } from '../config/config.ts';
import type { LoadedConfiguration } from '../config/load-config.ts';
import type { PastBuilds } from '../engine/tekton/past-builds.ts';
import type { Tag } from '../plan/names.ts';
import { lockDigest, pipelinerunName, tagFor } from '../plan/tag.ts';
import { productDigest } from '../product/load-product.ts';
import { writeArtifact } from '../steps/artifact.ts';
import { writeRecord } from '../steps/report/run-report.ts';
import type { Registry } from '../steps/step.ts';
import { recordedBuilds } from './recorded-builds.ts';

describe('the builds of records', () => {
  let server: TestRegistry;
  let registry: Registry;
  let past: PastBuilds;
  let folder: string;
  /** What manifests the registry was asked for. */
  let looked: string[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tributary-records-'));
    server = await startRegistry();
    const parsed = Configuration.parse({
      remotes: {
        demo: { push: `${server.host}/demo`, insecure: true, default: true },
        other: { push: `${server.host}/other`, insecure: true },
      },
    });
    const configuration: LoadedConfiguration = { ...parsed, state: folder, file: 'config.yaml' };
    registry = await createRegistry(configuration, { folder });
    looked = [];
    const looking: Registry = {
      ...registry,
      manifest: (reference) => {
        looked.push(reference);
        return registry.manifest(reference);
      },
    };
    const most = { builds: 1, summaries: 100 };
    past = recordedBuilds(configuration, async () => looking, { folder }, most);
  });
  afterEach(async () => {
    await server.close();
    await rm(folder, { recursive: true });
  });

  /** A build whose `prepare` failed, and its record. */
  async function record(name: string): Promise<NewBuild> {
    const given = demoBuild(name);
    const push = `${server.host}/demo`;
    const lock = {
      ...given.lock,
      product: { ...given.lock.product, file: productDigest(given.product) },
      remote: { name: 'demo', push, pull: push },
    };
    const digest = lockDigest(lock);
    const tag = tagFor(name, digest);
    const asked = { ...given, lock, lockDigest: digest, tag, pipelinerun: pipelinerunName(tag) };
    const failures = [{ reason: 'merge-conflict', detail: 'Both.', hint: 'Mend it.' }] as const;
    const changes: BuildChange[] = [
      { kind: 'queued' },
      { kind: 'started' },
      { kind: 'step-started', step: 'prepare' },
      { kind: 'step-failed', step: 'prepare', failures },
      { kind: 'planned', steps: [reportAlone], patches: [] },
      { kind: 'failed', failures },
    ];
    const at = new Date(0).toISOString();
    const build = foldBuild(
      asked,
      changes.map((change) => ({ ...change, id: eventId(1, change), at, attempt: 1 })),
    );
    const logs = join(folder, name);
    await mkdir(logs);
    await writeFile(join(logs, 'prepare.log'), `log of ${name}\n`);
    await writeRecord(
      { tag, lock, product: given.product, plan: undefined },
      {
        ...{ outputs: {}, registry, workdir: folder, record: { build, logs } },
        ...{ log: () => {}, progress: () => {} },
      },
    );
    return asked;
  }

  test('are found by their tag, with their events and logs', async () => {
    const [one, two] = [await record('one'), await record('two')];
    expect((await past.tags()).toSorted()).toEqual([one.tag, two.tag]);
    const found = await past.find(one.tag);
    expect(found?.build).toMatchObject({
      ...{ tag: one.tag, state: 'failed', attempt: 1 },
      failure: { reason: 'merge-conflict', step: 'prepare' },
    });
    expect(found?.asked.lockDigest).toBe(one.lockDigest);
    expect(found?.events.at(-1)?.kind).toBe('failed');
    expect(await found?.log('prepare')).toBe('log of one\n');
    expect(await found?.log('bundle')).toBeUndefined();
    expect(await past.find('three-000000' as Tag)).toBeUndefined();
  });

  test('are summed up after one look at each, where it was listed, however few are kept whole', async () => {
    const tags = [(await record('one')).tag, (await record('two')).tag];
    await past.tags();
    const summaries = () => Promise.all(tags.map((tag) => past.summary(tag)));
    const first = await summaries();
    expect(first).toMatchObject([
      { name: 'one', state: 'failed', requester: demoBuild().requester },
      { name: 'two', components: Object.keys(demoBuild().read) },
    ]);
    expect(looked.filter((one) => one.includes('/other/'))).toEqual([]);
    const before = looked.length;
    expect(await summaries()).toEqual(first);
    expect(looked).toHaveLength(before);
  });

  test('are not what somebody else put in the place of a record', async () => {
    const { tag } = await record('one');
    const repository = `${server.host}/demo/tributary`;
    await registry.copy(`${repository}:${tag}-record`, `${repository}:other-000000-record`);
    const content = { kind: 'record', metadata: null, files: new Map() };
    await writeArtifact(registry, folder, `${repository}:empty-000000-record`, content);
    expect(await past.find('other-000000' as Tag)).toBeUndefined();
    expect(await past.find('empty-000000' as Tag)).toBeUndefined();
    expect(await past.find(tag)).toBeDefined();
  });
});
