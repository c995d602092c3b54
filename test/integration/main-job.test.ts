import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import type { Build } from '../../src/builds/build.ts';
import { digestIn, filesOf, labelsOf } from '../support/images.ts';
import { type Json, type RunningService, type ServiceRig, serviceRig } from '../support/service.ts';

/** The two requests of the proposal, verbatim. */
const short = `{
    "name": "test-my-thing",
    "components": {
        "tektoncd/pipeline": "tektoncd/pipeline#4638"
    }
}`;
const long = `{
    "name": "test-my-thing",
    "components": {
        "tektoncd/pipeline": "tektoncd/pipeline#4638",
        "tektoncd/operator": "vdemeester/tektoncd-operator@shiny",
        "openshift-pipelines/pipelines-as-code": "https://github.com/openshift-pipelines/pipelines-as-code/pull/25"
    }
}`;

let rig: ServiceRig;
let service: RunningService;

/** Sends a request and waits for the end of its build. */
async function build(body: unknown): Promise<{ answer: Json; build: Build }> {
  const { body: answer } = await service.post('/', body);
  expect(answer).toHaveProperty('tag');
  return { answer, build: await service.ended(answer.tag) };
}

const reused = ({ images }: Build) =>
  images.filter((image) => image.reused).map(({ name }) => name);
const built = ({ images }: Build) =>
  images.filter((image) => !image.reused).map(({ name }) => name);
const pipelineImages = ['controller', 'entrypoint', 'resolvers', 'webhook'].map(
  (name) => `openshift-pipelines-${name}`,
);
const triggersImages = ['triggers-controller', 'triggers-eventlistenersink'].map(
  (name) => `openshift-pipelines-${name}`,
);
const operatorImages = ['openshift-pipelines-operator', 'openshift-pipelines-operator-webhook'];

/** Every string of a document that is a value. */
function stringsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(stringsOf) : [];
}

beforeAll(async () => {
  rig = serviceRig(inject('demo'));
  service = await rig.start();
});
afterAll(() => rig[Symbol.asyncDispose]());

describe('the request of the proposal', () => {
  let answer: Json;
  let first: Build;

  beforeAll(async () => {
    const response = await service.post('/', short);
    expect(response.status).toBe(201);
    answer = response.body;
    first = await service.ended(answer.tag);
  }, 300_000);

  test('is answered with tag, pipelinerun and how the ref was read', () => {
    expect(answer.tag).toMatch(/^test-my-thing-[0-9a-f]{6}$/);
    expect(answer.pipelinerun).toMatch(/^build-operator-bundle-[0-9a-f]{7}$/);
    expect(answer.components['tektoncd/pipeline']).toMatchObject({
      ref: 'tektoncd/pipeline#4638',
      as: 'merge',
      base: { branch: 'main' },
    });
  });

  test('succeeds, with every image, the bundle and the index in the registry under the tag', () => {
    expect(first.failure).toBeNull();
    expect(first.state).toBe('succeeded');
    expect(first.images.map(({ name }) => name).toSorted()).toHaveLength(9);
    for (const { name, digest } of first.images)
      expect(digestIn(`${rig.remote}/${name}:${first.tag}`), name).toBe(digest);
    expect(digestIn(first.bundle.image)).toBe(first.bundle.digest);
    expect(digestIn(first.index.image)).toBe(first.index.digest);
  });

  test("puts the pull request's program into the controller's image", () => {
    const files = filesOf(`${rig.remote}/openshift-pipelines-controller:${first.tag}`);
    const program = [...files].find(([path]) => path.startsWith('ko-app/'))?.[1];
    expect(program?.includes('Greetings from pull request 4638')).toBe(true);
  });

  test("puts the pull request's CRD into the payload of both images that carry it, in one version folder", () => {
    for (const name of operatorImages) {
      const files = filesOf(`${rig.remote}/${name}:${first.tag}`);
      const payloads = [...files.keys()].filter((path) =>
        /^kodata\/tekton-pipeline\/[^/]+\/00-pipelines\.yaml$/.test(path),
      );
      expect(payloads).toHaveLength(1);
      const text = files.get(payloads[0] ?? '')?.toString() ?? '';
      expect(text).toContain('displayName');
      const scalars = parseAllDocuments(text).flatMap((document) => stringsOf(document.toJS()));
      expect(scalars.filter((scalar) => scalar.startsWith('ko://'))).toEqual([]);
    }
  });

  test('names every image by digest in the CSV, under a version of its own that the released one upgrades to', () => {
    const files = filesOf(first.bundle.image);
    const path =
      [...files.keys()].find((name) => name.endsWith('clusterserviceversion.yaml')) ?? '';
    const csv = parse(files.get(path)?.toString() ?? '') as Json;
    expect(csv.metadata.name).toMatch(/^openshift-pipelines-operator-rh\.v1\.7\.0-t[0-9a-f]{6}$/);
    expect(csv.spec.replaces).toBe('openshift-pipelines-operator-rh.v1.7.0');
    const text = JSON.stringify(csv);
    for (const { name, digest } of first.images)
      expect(text, name).toContain(`${rig.remote}/${name}@${digest}`);
  });

  test('proves that the pull request is in each of its images and in the payload', () => {
    const places = first.inclusion.filter(({ component }) => component === 'tektoncd/pipeline');
    expect(places.map(({ place }) => place).toSorted()).toEqual(
      [...pipelineImages.map((name) => `image/${name}`), 'payload'].toSorted(),
    );
    expect(places.every(({ outcome, requested }) => outcome === 'included' && requested)).toBe(
      true,
    );
  });

  test('says where the built code can be fetched, and there it can be fetched', () => {
    const plan = execFileSync('sh', [
      '-c',
      `cat ${rig.state}/runs/${first.tag}/1/plan.json`,
    ]).toString();
    const { upstreamSources } = JSON.parse(plan) as { upstreamSources: string };
    const entry = (parse(upstreamSources) as Json).git.find(({ url }: Json) =>
      url.includes('tektoncd/pipeline'),
    );
    expect(upstreamSources).toContain("automerge: 'yes'");
    const folder = mkdtempSync(join(tmpdir(), 'tributary-clone-'));
    try {
      const git = (...args: string[]) =>
        execFileSync('git', ['-C', folder, ...args], {
          stdio: ['ignore', 'pipe', 'pipe'],
        }).toString();
      git('init', '-q');
      git('fetch', '-q', entry.url, entry.branch);
      expect(git('rev-parse', 'FETCH_HEAD').trim()).toBe(entry.commit);
      expect(git('show', `${entry.commit}:cmd/controller/greeting.go`)).toContain(
        'pull request 4638',
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('is one build when it is sent again', async () => {
    const again = await service.post('/api/builds', short);
    expect(again.status).toBe(200);
    expect(again.body).toMatchObject({
      tag: answer.tag,
      pipelinerun: answer.pipelinerun,
      state: 'succeeded',
    });
  });

  test('builds no image under another name', async () => {
    const { build: other } = await build({
      name: 'another',
      components: { 'tektoncd/pipeline': 'https://github.com/tektoncd/pipeline/pull/4638/files' },
    });
    expect(other.state).toBe('succeeded');
    expect(built(other)).toEqual([]);
    expect(other.images.map(({ digest }) => digest)).toEqual(
      first.images.map(({ digest }) => digest),
    );
    expect(other.bundle.digest).not.toBe(first.bundle.digest);
  });

  test('builds only the images of a component that changed', async () => {
    const { build: other } = await build({
      name: 'triggers',
      components: {
        'tektoncd/pipeline': 'tektoncd/pipeline#4638',
        'tektoncd/triggers': 'tektoncd/triggers#1301',
      },
    });
    expect(other.state).toBe('succeeded');
    expect(reused(other)).toEqual(expect.arrayContaining(pipelineImages));
    // The operator's images are new too: they carry the payload, which names the new images.
    expect(built(other).toSorted()).toEqual([...triggersImages, ...operatorImages].toSorted());
    // An earlier build left what the two have in common in a seed: neither waits for the other.
    const [one, two] = triggersImages.map((name) =>
      other.steps.find(({ id }) => id === `image/${name}`),
    );
    const began = [one, two].map((step) => Date.parse(step?.startedAt ?? ''));
    const ended = [one, two].map((step) => Date.parse(step?.finishedAt ?? ''));
    expect(Math.max(...began)).toBeLessThan(Math.min(...ended));
  });
});

test("the proposal's longer request builds all three components from their refs", async () => {
  const { build: three } = await build(long);
  expect(three.failure).toBeNull();
  expect(three.state).toBe('succeeded');
  const requested = new Set(
    three.inclusion.filter((row) => row.requested).map(({ component }) => component),
  );
  expect([...requested].toSorted()).toEqual([
    'openshift-pipelines/pipelines-as-code',
    'tektoncd/operator',
    'tektoncd/pipeline',
  ]);
});

test('the same request fifty times at once is one build', async () => {
  const body = { name: 'fifty', components: { 'tektoncd/triggers': 'tektoncd/triggers#1301' } };
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => service.post('/api/builds', body)),
  );
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(49);
  expect(new Set(answers.map((one) => one.body.tag))).toHaveLength(1);
  expect((await service.ended(answers[0]?.body.tag)).state).toBe('succeeded');
});

test('a request that names no component builds the product as it pins everything', async () => {
  const { answer, build: base } = await build({ name: 'base', components: {} });
  expect(answer.components).toEqual({});
  expect(base.failure).toBeNull();
  // The builds before made every image of the pinned sources, but for this payload.
  expect(built(base).toSorted()).toEqual(operatorImages);
  expect(new Set(base.inclusion.map(({ component }) => component)).size).toBe(4);
  for (const place of base.inclusion)
    expect(place).toMatchObject({ requested: false, outcome: 'included' });
  const controller = filesOf(`${rig.remote}/openshift-pipelines-controller:${base.tag}`);
  const program = [...controller].find(([path]) => path.startsWith('ko-app/'))?.[1];
  expect(program?.includes('Greetings from pull request')).toBe(false);
});

test('a pull request that does not compile fails as its own fault, with the compiler’s words', async () => {
  const { build: broken } = await build({
    name: 'broken',
    components: { 'tektoncd/pipeline': 'tektoncd/pipeline#4703' },
  });
  expect(broken.state).toBe('failed');
  expect(broken.failure).toMatchObject({ reason: 'image-build-failed', owner: 'ref' });
  expect(JSON.stringify(broken.failure)).toContain('greeting.go');
});

test('a pull request that conflicts is said to, by plan at once and by the build', async () => {
  const body = { name: 'conflict', components: { 'tektoncd/pipeline': 'tektoncd/pipeline#4701' } };
  const plan = await service.post('/api/plan', body);
  expect(plan.status).toBe(409);
  expect(plan.body).toMatchObject({ reason: 'merge-conflict' });
  expect(JSON.stringify(plan.body)).toContain('config/config-defaults.yaml');
  const { build: conflicting } = await build(body);
  expect(conflicting.failure).toMatchObject({ reason: 'merge-conflict', owner: 'ref' });
  expect(conflicting.steps.map(({ id, state }) => [id, state])).toEqual([
    ['prepare', 'failed'],
    ['report', 'succeeded'],
  ]);
  const record = filesOf(`${rig.remote}/tributary:${conflicting.tag}-record`);
  expect(JSON.parse(record.get('build.json')?.toString() ?? '')).toMatchObject({
    state: 'failed',
    failure: { reason: 'merge-conflict' },
  });
  expect(record.has('logs/prepare.log.gz')).toBe(true);
});

test('a pull request on the productization repository is tried the same way', async () => {
  const { build: product } = await build({
    name: 'product',
    components: {},
    product: 'openshift-pipelines/productization#7',
  });
  expect(product.failure).toBeNull();
  expect(product.state).toBe('succeeded');
  // Its patch of pipeline makes pipeline's images anew, and its Dockerfile tells the entrypoint's summary.
  expect(built(product)).toEqual(expect.arrayContaining([...operatorImages, ...pipelineImages]));
  expect(product.patches).toContainEqual({
    component: 'tektoncd/pipeline',
    patch: '0003-Name-the-webhook-of-the-product.patch',
    outcome: 'applied',
    by: 'tributary',
  });
  const webhook = filesOf(`${rig.remote}/openshift-pipelines-webhook:${product.tag}`);
  expect(webhook.get('ko-app/webhook')?.includes('The webhook of OpenShift Pipelines')).toBe(true);
  const entrypoint = `${rig.remote}/openshift-pipelines-entrypoint:${product.tag}`;
  expect(labelsOf(entrypoint)['summary']).toContain('the program that wraps every step');
});

test('another release tracks other branches: a pull request against main is picked, not merged', async () => {
  const { answer, build: older } = await build({
    name: 'older',
    release: '1.6',
    components: { 'tektoncd/pipeline': 'tektoncd/pipeline#4704' },
  });
  expect(answer.components['tektoncd/pipeline']).toMatchObject({ as: 'pick' });
  expect(older.failure).toBeNull();
  expect(older.inclusion.filter(({ requested }) => requested).map(({ place }) => place)).toEqual(
    expect.arrayContaining([...pipelineImages.map((name) => `image/${name}`), 'payload']),
  );
  const bundle = filesOf(older.bundle.image);
  const csv = [...bundle].find(([path]) => path.endsWith('clusterserviceversion.yaml'))?.[1];
  expect(parse(csv?.toString() ?? '').spec).toMatchObject({
    version: expect.stringMatching(/^1\.6\.0-t[0-9a-f]{6}$/),
    replaces: 'openshift-pipelines-operator-rh.v1.6.0',
  });
  expect(labelsOf(older.bundle.image)).toMatchObject({
    'operators.operatorframework.io.bundle.channels.v1': 'pipelines-1.6',
    'operators.operatorframework.io.bundle.channel.default.v1': 'pipelines-1.6',
  });
});

test('a pull request that cannot be picked onto an older release is said to', async () => {
  const { status, body } = await service.post('/api/plan', {
    name: 'older',
    release: '1.6',
    components: { 'tektoncd/pipeline': 'tektoncd/pipeline#4638' },
  });
  expect({ status, reason: body.reason }).toEqual({ status: 409, reason: 'merge-conflict' });
  expect(body.detail).toMatch(/cannot be picked onto what the product pins .*greeting\.go/);
});
