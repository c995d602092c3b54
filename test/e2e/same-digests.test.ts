import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { Build } from '../../src/builds/build.ts';
import { renderPipeline } from '../../src/engine/tekton/render-pipeline.ts';
import { renderTasks } from '../../src/engine/tekton/render-tasks.ts';
import {
  createNamespace,
  type TestCluster,
  type TestNamespace,
  testCluster,
} from '../support/cluster.ts';
import { type ClusterDemo, lean, startClusterDemo } from '../support/cluster-demo.ts';
import { digestIn } from '../support/images.ts';
import { type Json, type ServiceRig, serviceRig } from '../support/service.ts';
import { quickProduct } from '../support/small-demo.ts';

/** The same lock on both engines: the local one builds first, and a PipelineRun builds all of it anew. */
let cluster: TestCluster;
let space: TestNamespace;
let demo: ClusterDemo;
const rigs: ServiceRig[] = [];

beforeAll(async () => {
  cluster = testCluster();
  space = await createNamespace(cluster, 'digests');
  demo = await startClusterDemo(cluster);
});
afterAll(async () => {
  await Promise.all(rigs.map((rig) => rig[Symbol.asyncDispose]()));
  await demo?.[Symbol.asyncDispose]();
  await space?.[Symbol.asyncDispose]();
});

/** `tributary` with an engine; both have the same product, remote and world. */
function rigOf(product: string, configuration: object): ServiceRig {
  const { registry, insecure, pushSecret } = cluster;
  const remote = `${registry}/${space.name}`;
  const authfile = join(pushSecret, 'config.json');
  const rig = serviceRig(
    { ...demo, registry },
    {
      url: 'https://tributary.example.com',
      registries: { [registry.split('/')[0] ?? '']: { insecure } },
      remotes: { demo: { push: remote, default: true, insecure, authfile } },
      ...configuration,
    },
    { product: () => product, remote },
  );
  rigs.push(rig);
  return rig;
}

/** What `deploy/tekton` installs, with the configuration of a rig. */
async function install({ configuration }: ServiceRig, product: string): Promise<void> {
  const { state: _, tools: __, remotes, ...rest } = parse(readFileSync(configuration, 'utf8'));
  const authfile = '/etc/tributary-push/auth.json';
  const config = stringify({ ...rest, remotes: { demo: { ...remotes.demo, authfile } } });
  const named = (kind: string, name: string, more: object = {}) => ({
    ...{ apiVersion: 'v1', kind, metadata: { name } },
    ...more,
  });
  const auth = readFileSync(join(cluster.pushSecret, 'config.json'), 'utf8');
  const items = [
    named('ServiceAccount', 'tributary-build'),
    named('ConfigMap', 'tributary-config', { data: { 'config.yaml': config } }),
    named('ConfigMap', 'tributary-product', { data: { 'product.yaml': product } }),
    named('Secret', 'tributary-push', { stringData: { 'auth.json': auth } }),
    ...[...renderTasks(), renderPipeline('tributary')],
  ];
  const list = JSON.stringify(named('List', 'all', { items }));
  await space.kubectl(['apply', '--server-side', '--filename=-'], list);
}

async function build(rig: ServiceRig, ...more: string[]): Promise<Build> {
  const asked = ['tektoncd/operator#1400', '--name', 'same', '--json', ...more];
  const { stdout, stderr, exitCode } = await rig.cli('build', ...asked);
  expect(exitCode, stderr).toBe(0);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}

/** Everything that is kept by key: images, payloads, manifests, sources. */
function keptByKey({ images }: Build): Record<string, string | undefined> {
  const remote = `${cluster.registry}/${space.name}`;
  const repositories = [`${remote}/tributary`, ...images.map(({ name }) => `${remote}/${name}`)];
  const references = repositories.flatMap((repository) => {
    const args = ['list-tags', '--tls-verify=false', `docker://${repository}`];
    const { Tags } = JSON.parse(execFileSync('skopeo', args).toString()) as { Tags: string[] };
    return Tags.filter((tag) => tag.startsWith('key-')).map((tag) => `${repository}:${tag}`);
  });
  return Object.fromEntries(references.map((reference) => [reference, digestIn(reference)]));
}

const digestsOf = ({ images, bundle, index }: Build) =>
  [...images, bundle, index].map(({ image, digest }) => [image, digest]);

test('both engines give the same digests for the same lock', { timeout: 300_000 }, async () => {
  const product = quickProduct(demo);
  const local = rigOf(product, {});
  const tekton = { namespace: space.name, image: cluster.image, kubeconfig: cluster.kubeconfig };
  const pods = rigOf(product, { engine: 'tekton', tekton: { ...tekton, tasks: lean } });
  const [made] = await Promise.all([build(local), install(local, product)]);
  const kept = keptByKey(made);
  expect(Object.keys(kept).length).toBeGreaterThan(4);

  const again = await build(pods, '--rebuild');
  expect(again).toMatchObject({ tag: made.tag, state: 'succeeded', failure: null });
  expect(again.images.filter(({ reused }) => reused)).toEqual([]);
  expect(digestsOf(again)).toEqual(digestsOf(made));
  expect(keptByKey(again)).toEqual(kept);

  // As Tekton Chains reads them, of every task of the matrix, and of the one that makes what is installed.
  const resultsOf = async (task: string): Promise<string[]> => {
    const selector = `--selector=tekton.dev/pipelineTask=${task}`;
    const { items } = JSON.parse(await space.kubectl(['get', 'taskruns', selector, '-o', 'json']));
    return items.flatMap(({ status }: Json) =>
      status.results.map(({ name, value }: Json) => `${name}=${value}`),
    );
  };
  const [installed = ''] = await resultsOf('assemble');
  expect(installed).toMatch(/^IMAGES=/);
  expect(installed).toContain(`@${again.bundle.digest}`);
  const results = await resultsOf('images');
  const [image] = again.images.map(({ name }) => `${cluster.registry}/${space.name}/${name}`);
  const byKey = Object.entries(kept).flatMap(([reference, digest]) =>
    reference.startsWith(`${image}:`) ? [digest] : [],
  );
  expect(results).toContain(`IMAGE_URL=${image}`);
  expect(byKey.map((digest) => `IMAGE_DIGEST=${digest}`)).toEqual(
    expect.arrayContaining(results.filter((one) => one.startsWith('IMAGE_DIGEST='))),
  );
});
