import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../src/adapters/processes/command.ts';
import { FailureError } from '../../src/builds/failure.ts';
import { gitTreeSha } from '../../src/plan/file-tree.ts';
import type { Plan, StepOf } from '../../src/plan/plan.ts';
import type { Component, Product } from '../../src/product/product.ts';
import { readArtifact } from '../../src/steps/artifact.ts';
import { lookUpHits } from '../../src/steps/prepare/look-up-hits.ts';
import {
  demoRegistry,
  openPrepareWorld,
  type PrepareWorld,
  putBase,
} from '../support/prepare-world.ts';

let world: PrepareWorld;
beforeAll(async () => {
  world = await openPrepareWorld();
}, 120_000);
afterAll(() => world[Symbol.asyncDispose]());

const pipeline = (ref: unknown, more: object = {}) => ({
  components: { 'tektoncd/pipeline': ref },
  ...more,
});
const keysOf = (plan: Plan) => Object.fromEntries(plan.steps.map(({ id, key }) => [id, key]));
const imagesOf = (plan: Plan) =>
  plan.steps.filter((step): step is StepOf<'image'> => step.kind === 'image');
const patchesOf = (plan: Plan, component: string) =>
  plan.patches
    .filter((report) => report.component === component)
    .map(({ patch, outcome }) => `${patch.slice(0, 4)} ${outcome}`);

async function failuresOf(body: object) {
  const error = await world.prepare(body, { publish: false }).catch((thrown: unknown) => thrown);
  if (error instanceof FailureError) return error.failures;
  throw error;
}

test('a pull request becomes a plan: merged, patched, with every step and its key', async () => {
  const plan = await world.prepare(pipeline('tektoncd/pipeline#4638'));
  const source = plan.sources['tektoncd/pipeline' as never];
  expect(source).toMatchObject({
    requested: true,
    version: '0.69.0',
    patchesLeft: [],
    from: { kind: 'merge' },
  });
  expect(patchesOf(plan, 'tektoncd/pipeline')).toEqual(['0001 applied', '0002 applied']);
  expect(plan.steps.map(({ id }) => id).filter((id) => !id.startsWith('image/'))).toEqual([
    'payload/openshift-pipelines/pipelines-as-code',
    'payload/tektoncd/operator',
    'payload/tektoncd/pipeline',
    'payload/tektoncd/triggers',
    'operator-payload/openshift-pipelines-operator',
    'operator-payload/openshift-pipelines-operator-webhook',
    'bundle',
    'index',
    'verify',
    'report',
  ]);
  expect(imagesOf(plan)).toHaveLength(9);
  expect(plan.operatorVersion).toBe(`1.7.0-t${plan.tag.slice(-6)}`);
  const controller = imagesOf(plan).find(({ image }) => image === 'openshift-pipelines-controller');
  expect(controller?.args).toMatchObject({
    CI_PIPELINE_UPSTREAM_COMMIT: plan.sources['tektoncd/pipeline' as never]?.['commit'],
    REMOTE_SOURCE_DIR: '/remote-source',
  });
  const payload = plan.steps.find(
    (step) => step.id === 'payload/tektoncd/pipeline',
  ) as StepOf<'payload'>;
  expect(payload.version).toBe(`0.69.0-t${payload.key?.slice(0, 6)}`);
  expect(payload.images['github.com/tektoncd/pipeline/cmd/controller']).toBe(
    `registry.test/demo/openshift-pipelines-controller:key-${controller?.key}`,
  );
});

test('another machine makes the same plan', async () => {
  const other = await mkdtemp(join(tmpdir(), 'tributary-other-'));
  const plan = await world.prepare(pipeline('tektoncd/pipeline#4638'));
  const again = await world.prepare(pipeline('tektoncd/pipeline#4638'), {
    state: other,
    registry: demoRegistry(),
  });
  expect(again).toEqual(plan);
  await rm(other, { recursive: true });
});

test('the image that patch scripts run in is pinned for all attempts of a tag', async () => {
  const image = 'registry.example.com/base/tools:1';
  const { 'tektoncd/pipeline': component, ...others } = world.product.components as Record<
    string,
    Component
  >;
  if (component?.patches === undefined) throw new Error('no patches');
  const patched = { ...component, patches: { ...component.patches, image } };
  const product = {
    ...world.product,
    components: { ...others, 'tektoncd/pipeline': patched },
  } as Product;
  putBase(world.registry, 'tools', 1);
  const first = await world.prepare(pipeline('tektoncd/pipeline#4638'), { product });
  expect(first.bases[image]).toMatch(/^registry\.example\.com\/base\/tools@sha256:/);
  putBase(world.registry, 'tools', 2);
  const second = await world.prepare(pipeline('tektoncd/pipeline#4638'), { product });
  expect(second.tag).toBe(first.tag);
  expect(second.bases).toEqual(first.bases);
});

test('the source artifact holds the tree that the plan names, and proves the commit', async () => {
  const plan = await world.prepare(pipeline('tektoncd/pipeline#4638'));
  const source = plan.sources['tektoncd/pipeline' as never] as Plan['productSource'];
  const artifact = await readArtifact(
    world.registry,
    `registry.test/demo/tributary:key-${source.key}`,
  );
  if (artifact === undefined) throw new Error('no artifact');
  expect(gitTreeSha(artifact.files)).toBe(source.tree);
  const { commitObject, ...metadata } = artifact.metadata as Record<string, string>;
  expect(Buffer.from(commitObject ?? '', 'base64').toString()).toContain(
    `tree ${source.commitTree}\n`,
  );
  expect(metadata).toMatchObject({
    commit: source.commit,
    commitTree: source.commitTree,
    tree: source.tree,
  });
  expect(metadata['patches']).toHaveLength(2);
});

test('upstream_sources.yaml changes in its entry alone, and what it says can be fetched', async () => {
  const plan = await world.prepare(pipeline('tektoncd/pipeline#4638'));
  const { commit } = plan.sources['tektoncd/pipeline' as never] as Plan['productSource'];
  const before = (
    await world.prepare({ components: { 'tektoncd/triggers': 'tektoncd/triggers#main' } })
  ).upstreamSources;
  const lines = new Set(before.split('\n'));
  expect(plan.upstreamSources.split('\n').filter((line) => !lines.has(line))).toEqual([
    expect.stringMatching(
      /^ {2}# refs\/pull\/4638\/head \([0-9a-f]{12}\) of https:\/\/github\.com\/tektoncd\/pipeline, merged into main/,
    ),
    `  - url: http://127.0.0.1:8080/api/builds/${plan.tag}/git/tektoncd/pipeline.git`,
    '    branch: tributary',
    `    commit: '${commit}'`,
  ]);
  const exported = join(world.state, 'git', plan.tag, 'tektoncd', 'pipeline.git');
  const git = await run('git', ['rev-parse', 'tributary'], {
    cwd: exported,
    env: { GIT_DIR: exported },
  });
  expect(git.stdout.toString().trim()).toBe(commit);
});

test('a head is named where it lies, by its ref and commit', async () => {
  const ref = 'vdemeester/tektoncd-operator@shiny';
  const plan = await world.prepare({ components: { 'tektoncd/operator': ref } });
  const { commit } = plan.sources['tektoncd/operator' as never] as Plan['productSource'];
  expect(plan.upstreamSources).toContain(
    `url: https://github.com/vdemeester/tektoncd-operator\n    branch: shiny\n    commit: '${commit}'\n    automerge: 'yes'`,
  );
  expect(plan.steps.map(({ id }) => id)).toContain('manifests/tektoncd/operator');
});

test('one changed component changes the keys of its own images and payload alone', async () => {
  const base = keysOf(await world.prepare(pipeline('tektoncd/pipeline#4638')));
  const other = keysOf(
    await world.prepare(
      pipeline('tektoncd/pipeline#4638', {
        components: {
          'tektoncd/pipeline': 'tektoncd/pipeline#4638',
          'tektoncd/triggers': 'tektoncd/triggers#1301',
        },
      }),
    ),
  );
  const changed = Object.keys(base).filter((id) => base[id] !== other[id]);
  expect(changed).toEqual(
    expect.arrayContaining(['image/openshift-pipelines-triggers-controller']),
  );
  expect(changed.filter((id) => !id.includes('triggers'))).toEqual([]);
});

test('the same code under another name has the same keys', async () => {
  const one = await world.prepare(pipeline('tektoncd/pipeline#4638'));
  const other = await world.prepare(pipeline('tektoncd/pipeline#4638', { name: 'other' }));
  expect(other.tag).not.toBe(one.tag);
  expect(keysOf(other)).toEqual(keysOf(one));
});

test('patches are bypassed as asked, and left to the Dockerfile where the product says so', async () => {
  const skip = { 'tektoncd/pipeline': { skip: ['0001-Use-the-name-of-the-product.patch'] } };
  const plan = await world.prepare(pipeline('tektoncd/pipeline#4638', { patches: skip }), {
    publish: false,
  });
  expect(patchesOf(plan, 'tektoncd/pipeline')).toEqual(['0001 bypassed', '0002 applied']);
  expect(plan.sources['tektoncd/triggers' as never]).toMatchObject({
    patchesLeft: ['0001-Accept-larger-events.patch'],
  });
  const triggers = plan.sources['tektoncd/triggers' as never] as Plan['productSource'];
  expect(triggers.tree).toBe(triggers.commitTree);
  const none = await world.prepare(
    pipeline('tektoncd/pipeline#4638', { patches: { 'tektoncd/triggers': 'none' } }),
    { publish: false },
  );
  expect(none.sources['tektoncd/triggers' as never]).toMatchObject({ patchesLeft: [] });
  const image = 'image/openshift-pipelines-triggers-controller';
  expect(keysOf(none)[image]).not.toBe(keysOf(plan)[image]);
});

test('a pull request that conflicts fails with files, refs and what to do', async () => {
  const failures = await failuresOf(pipeline('tektoncd/pipeline#4701'));
  expect(failures).toMatchObject([
    {
      reason: 'merge-conflict',
      detail: expect.stringMatching(
        /^tektoncd\/pipeline: refs\/pull\/4701\/head of .* cannot be merged into main \([0-9a-f]{12}\): \d+ files? conflicts?: \S+/,
      ),
      hint: expect.stringContaining('Rebase'),
      about: { files: expect.arrayContaining([expect.any(String)]) },
    },
  ]);
});

test('every pull request of the demo comes out as it should', async () => {
  const outcomes: Record<string, string> = {};
  for (const number of [4702, 4703, 4704, 4706, 4707]) {
    try {
      const plan = await world.prepare(pipeline(`tektoncd/pipeline#${number}`), { publish: false });
      outcomes[number] = patchesOf(plan, 'tektoncd/pipeline').join(', ');
    } catch (error) {
      outcomes[number] = (error as FailureError).failures[0].reason;
    }
  }
  expect(outcomes).toMatchInlineSnapshot(`
    {
      "4702": "0001 applied, 0002 contained",
      "4703": "0001 applied, 0002 applied",
      "4704": "0001 applied, 0002 applied",
      "4706": "patch-conflict",
      "4707": "unresolved-image-reference",
    }
  `);
});

test('planning writes nothing', async () => {
  const registry = demoRegistry();
  const before = registry.writes.length;
  const plan = await world.prepare(pipeline('tektoncd/pipeline#4638', { name: 'unwritten' }), {
    publish: false,
    registry,
  });
  expect(registry.writes.length).toBe(before);
  const hits = await lookUpHits(plan, registry);
  expect(hits['image/openshift-pipelines-controller']).toBe(false);
  expect(hits['bundle']).toBeNull();
});

test('a base image that moves changes a new tag, and not one that was planned before', async () => {
  const registry = demoRegistry();
  const ask = (name: string) =>
    world.prepare(pipeline('tektoncd/pipeline#4638', { name }), { registry });
  const before = await ask('before');
  putBase(registry, 'runtime', 2);
  expect(await ask('before')).toEqual(before);
  const after = await ask('after');
  expect(keysOf(after)['image/openshift-pipelines-controller']).not.toBe(
    keysOf(before)['image/openshift-pipelines-controller'],
  );
});

test('a base image that does not exist is named', async () => {
  const registry = demoRegistry();
  registry.manifests.delete('registry.example.com/base/runtime:1');
  const error = await world
    .prepare(pipeline('tektoncd/pipeline#4638', { name: 'bare' }), { registry })
    .catch((thrown) => thrown);
  expect(error.failures).toMatchObject([
    { reason: 'base-image-not-found', about: { image: 'registry.example.com/base/runtime:1' } },
  ]);
});

test('a release that tracks other branches picks the change onto what it pins', async () => {
  const plan = await world.prepare(pipeline('tektoncd/pipeline#4704', { release: '1.6' }), {
    publish: false,
  });
  expect(plan.sources['tektoncd/pipeline' as never]).toMatchObject({
    from: { kind: 'pick' },
    version: '0.68.1',
  });
  expect(plan.upstreamSources).toContain('picked onto');
  const own = await world.prepare(pipeline('tektoncd/pipeline#4705', { release: '1.6' }), {
    publish: false,
  });
  expect(own.sources['tektoncd/pipeline' as never]).toMatchObject({
    from: { kind: 'merge', base: { branch: 'release-v0.68.x' } },
  });
});

test('a change of the productization repository is planned as it would be merged', async () => {
  const plan = await world.prepare(
    { product: 'openshift-pipelines/productization#7' },
    { publish: false },
  );
  expect(plan.productSource).toMatchObject({ requested: true });
  expect(plan.lock.product.source.kind).toBe('merge');
});
