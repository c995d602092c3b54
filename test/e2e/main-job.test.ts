import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { run } from '../../src/adapters/processes/command.ts';
import { createRegistry } from '../../src/adapters/registry/registry.ts';
import type { Build } from '../../src/builds/build.ts';
import { Configuration } from '../../src/config/config.ts';
import { readText } from '../../src/plan/file-tree.ts';
import { readArtifact } from '../../src/steps/artifact.ts';
import {
  createNamespace,
  type TestCluster,
  type TestNamespace,
  testCluster,
} from '../support/cluster.ts';
import {
  type ClusterDemo,
  copyImage,
  followGuide,
  guide,
  lacksUnderTag,
  remoteOf,
  runningIt,
  startClusterDemo,
} from '../support/cluster-demo.ts';
import { type PortForward, portForward } from '../support/port-forward.ts';
import { pushReleased } from '../support/released-catalog.ts';
import type { Json } from '../support/service.ts';
import { tool } from '../support/tools.ts';

/** The whole flow of the proposal: a request, a PipelineRun, a bundle that OLM installs, and the pull request's code in a pod. */
let cluster: TestCluster;
let space: TestNamespace;
let target: TestNamespace;
let demo: ClusterDemo;
let remote: string;
let forward: PortForward | undefined;
let token: string;
const folder = mkdtempSync(join(tmpdir(), 'tributary-e2e-'));
const minutes = 60_000;

/** The product as it pins everything: what the guide builds first. */
let released: Build;
/** The request of the proposal, and what asked for at the same time is needed later. */
let first: Build;
let second: Build;
const bad = new Map<number, Build>();

beforeAll(async () => {
  cluster = testCluster();
  space = await createNamespace(cluster, 'tributary');
  target = await createNamespace(cluster, 'operators');
  demo = await startClusterDemo(cluster);
  remote = remoteOf(cluster, space);
});

afterAll(async () => {
  forward?.[Symbol.dispose]();
  await demo?.[Symbol.asyncDispose]();
  await operatorSdk('cleanup', packageName).catch(() => {});
  await target?.[Symbol.asyncDispose]();
  await space?.[Symbol.asyncDispose]();
  await cluster.kubectl([
    ...['delete', 'clusterrolebinding', `tributary:${space.name}`, '--ignore-not-found'],
  ]);
  await removeWhatTheDemoInstalled();
  rmSync(folder, { recursive: true });
});

/** An operator leaves what it has applied. */
async function removeWhatTheDemoInstalled(): Promise<void> {
  const gone = ['--ignore-not-found', '--wait=false'];
  const namespaces = ['demo-pipelines', 'demo-pipelines-resolvers', 'demo-triggers'];
  await cluster.kubectl([
    ...['delete', 'namespace', ...namespaces, 'pipelines-as-code', 'tekton-addons', ...gone],
  ]);
  const kinds = await cluster.kubectl(['get', 'crd', '--output=name']);
  const ours = kinds.split('\n').filter((name) => name.endsWith('.tekton.example.com'));
  if (ours.length > 0) await cluster.kubectl(['delete', ...ours, ...gone]);
}

async function call(path: string, body?: unknown): Promise<{ status: number; body: Json }> {
  const response = await fetch(`${forward?.url}${path}`, {
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}

/** `tributary ARGS`, as people call it. */
async function tributary(...args: string[]) {
  const { exitCode, stdout, stderr } = await run(
    process.execPath,
    [join(import.meta.dirname, '../../src/cli.ts'), '--server', forward?.url ?? '', ...args],
    { cwd: folder, env: { TRIBUTARY_TOKEN: token, HOME: folder } },
  );
  return { exitCode, text: `${stdout}${stderr}` };
}

async function operatorSdk(...args: string[]): Promise<void> {
  const trust = cluster.authority === undefined ? {} : { SSL_CERT_FILE: cluster.authority };
  const env = { KUBECONFIG: cluster.kubeconfig, HOME: folder, ...trust };
  const { exitCode, stdout, stderr } = await run(
    tool('operator-sdk'),
    [...args, '--namespace', target.name, '--timeout=4m'],
    { cwd: folder, env, timeout: 5 * minutes },
  );
  expect(exitCode, `${stdout}${stderr}`).toBe(0);
}

/** Vouches for the heads of pull requests, and asks for them. */
async function ask(name: string, pulls: Readonly<Record<string, number>>): Promise<Build> {
  const refs = Object.entries(pulls).map(([component, number]) => `${component}#${number}`);
  for (const [component, number] of Object.entries(pulls)) {
    const repository = join(demo.repositories, `${component}.git`);
    const head = execFileSync('git', ['-C', repository, 'rev-parse', `refs/pull/${number}/head`]);
    const approved = await tributary('approve', `${component}#${number}@${head.toString().trim()}`);
    expect(approved.exitCode, approved.text).toBe(0);
  }
  const asked = await tributary('build', ...refs, '--name', name, '--no-wait', '--json');
  return JSON.parse(asked.text.trim().split('\n').at(-1) ?? '');
}

/** A build that was asked for, when it is over. */
async function ended({ tag }: Build): Promise<Build> {
  await tributary('status', tag, '--follow');
  return (await call(`/api/builds/${tag}`)).body;
}

/** What the demo's controller says in its pod, once its Deployment is the new one. */
async function greeting(): Promise<string> {
  const controller = ['deployment/demo-pipelines-controller', '--namespace=demo-pipelines'];
  await cluster.kubectl(['rollout', 'status', ...controller, '--timeout=120s']);
  return cluster.kubectl([
    ...['get', '--raw'],
    '/api/v1/namespaces/demo-pipelines/services/demo-pipelines-controller:80/proxy/',
  ]);
}

const packageName = 'openshift-pipelines-operator-rh';

/** The version of a build, as its CSV is called. */
function csvOf({ tag }: Build): string {
  return `${packageName}.v1.7.0-t${tag.slice(tag.lastIndexOf('-') + 1)}`;
}

/** Waits until OLM has installed a version. */
async function installed(csv: string): Promise<void> {
  const phase = ['get', 'csv', csv, '--output=jsonpath={.status.phase}'];
  const look = () => target.kubectl(phase).catch(() => '');
  await expect.poll(look, { timeout: 4 * minutes, interval: 500 }).toBe('Succeeded');
}

test('the service is installed, and builds the product as it is, by the commands of the guide', {
  timeout: 10 * minutes,
}, async () => {
  const printed = await followGuide(guide, cluster, space, demo);
  // Who asks is a ServiceAccount here; the guide lets them ask, and from now on they may vouch.
  await space.kubectl([
    ...['create', 'rolebinding', 'ada-approver', '--role=tributary-approver'],
    `--serviceaccount=${space.name}:ada`,
  ]);
  token = (await space.kubectl(['create', 'token', 'ada'])).trim();
  forward = await portForward(cluster, space);
  const [tag] = /first-[0-9a-f]{6}/.exec(printed) ?? [];
  released = (await call(`/api/builds/${tag}`)).body;
  expect(released).toMatchObject({ state: 'succeeded', failure: null, components: {} });
  expect(lacksUnderTag(remote, released.tag, released.images)).toEqual([]);
});

describe('the request of the proposal', () => {
  const request = {
    name: 'test-my-thing',
    components: { 'tektoncd/pipeline': 'tektoncd/pipeline#4638' },
  };

  test('is refused while nobody vouches for its code, with the command that does', async () => {
    const { status, body } = await call('/', request);
    expect({ status, reason: body.reason }).toEqual({ status: 403, reason: 'not-approved' });
    const [command = ''] = /tributary approve \S+/.exec(body.hint) ?? [];
    const done = await tributary(...command.split(' ').slice(1));
    expect(done.exitCode, done.text).toBe(0);
  });

  test('is answered with the name of a PipelineRun that is there', async () => {
    const { status, body } = await call('/', request);
    expect(status, JSON.stringify(body)).toBe(201);
    expect(body.tag).toMatch(/^test-my-thing-[0-9a-f]{6}$/);
    expect(await space.kubectl(['get', 'pipelinerun', body.pipelinerun, '--output=name'])).toBe(
      `pipelinerun.tekton.dev/${body.pipelinerun}\n`,
    );
    first = body;
    // Another one, of which code and operator are needed later, is built meanwhile.
    second = await ask('another', { 'tektoncd/pipeline': 4704, 'tektoncd/operator': 1400 });
  });

  test('comes to a build with every image under its tag, while the product as released is installed', {
    timeout: 10 * minutes,
  }, async () => {
    await subscribe(await pushReleased(cluster, remote, released, packageName));
    first = await ended(first);
    expect(first).toMatchObject({ state: 'succeeded', failure: null });
    expect(first.images).toHaveLength(9);
    expect(lacksUnderTag(remote, first.tag, first.images)).toEqual([]);
    await installed(`${packageName}.v1.7.0`);
    await expect.poll(greeting, { timeout: minutes }).not.toContain('4638');
  });

  test('has its merge served by every replica, as upstream_sources.yaml says', async () => {
    const { url: from, branch, commit } = await sourceOf(first, 'tektoncd/pipeline');
    const replicas = await space.kubectl([
      ...['get', 'pods', '--selector=app.kubernetes.io/component=service', '--output=name'],
    ]);
    const names = replicas.trim().split('\n');
    expect(names).toHaveLength(2);
    expect(await Promise.all(names.map((name) => fetchFrom(name, from, branch)))).toEqual([
      ...[commit, commit],
    ]);
  });

  test('takes the place of what is released, from a catalog that names nothing but the index', {
    timeout: 10 * minutes,
  }, async () => {
    await offer(first.index.image);
    await installed(csvOf(first));
    await expect.poll(greeting, { timeout: minutes }).toContain('Greetings from pull request 4638');
    expect(await crd('pipelines')).toContain('displayName');
  });

  test('makes room for a second build, with the CRD, the rights and the image of a pull request of the operator', {
    timeout: 10 * minutes,
  }, async () => {
    second = await ended(second);
    expect(second).toMatchObject({ state: 'succeeded', failure: null });
    for (const number of [4701, 4703])
      bad.set(number, await ask(`bad-${number}`, { 'tektoncd/pipeline': number }));
    await offer(second.index.image);
    await installed(csvOf(second));
    await expect.poll(greeting, { timeout: minutes }).not.toContain('4638');
    const csv = await target.kubectl(['get', 'csv', csvOf(second), '--output=yaml']);
    expect(csv).toContain('tektonpruners.operator.tekton.example.com');
    expect(csv).toContain('IMAGE_PRUNER_PRUNER');
    expect(csv).toMatch(/resources:\n\s+- jobs\n/);
  });

  test('comes back under another name, built of nothing but what was made before', {
    timeout: 10 * minutes,
  }, async () => {
    // Back to a version that was installed before OLM does not find: the same code has another one under another name.
    const again = await ended(await ask('back-again', { 'tektoncd/pipeline': 4638 }));
    expect(again.images.every(({ reused }) => reused)).toBe(true);
    await offer(again.index.image);
    await installed(csvOf(again));
    await expect.poll(greeting, { timeout: minutes }).toContain('4638');
    await operatorSdk('cleanup', packageName);
  });

  const bundleOf = ({ tag }: Build) =>
    `${cluster.tlsRegistry}/${space.name}/${packageName.replace(/-rh$/, '')}-bundle:${tag}`;

  test('is installed by operator-sdk, which replaces it by a second build, changed manifests too', {
    timeout: 10 * minutes,
  }, async () => {
    await operatorSdk('run', 'bundle', bundleOf(first), ...cluster.runBundle);
    await installed(csvOf(first));
    await expect.poll(greeting, { timeout: minutes }).toContain('Greetings from pull request 4638');
    await operatorSdk('run', 'bundle-upgrade', bundleOf(second));
    await installed(csvOf(second));
    await expect.poll(greeting, { timeout: minutes }).not.toContain('4638');
    expect(await crd('tasks')).toContain('How long the step may take');
    await operatorSdk('cleanup', packageName);
    expect(await target.kubectl(['get', 'csv,subscription', '--output=name'])).toBe('');
  });
});

/** What a build's upstream_sources.yaml says of a component. */
async function sourceOf({ tag }: Build, component: string): Promise<Json> {
  const remotes = { demo: { push: remote, insecure: cluster.insecure } };
  const registry = await createRegistry(Configuration.parse({ remotes }), { folder });
  const plan = await readArtifact(registry, `${remote}/tributary:${tag}-plan`);
  const { git } = parse(readText(plan?.files ?? new Map(), 'upstream_sources.yaml') ?? '');
  return git.find(({ url: from }: Json) => from.includes(`/${component}`));
}

/** Fetches a branch from a replica, as git does that is told who asks; gives the commit. */
async function fetchFrom(replica: string, from: string, branch: string): Promise<string> {
  using reached = await portForward(cluster, space, replica);
  const client = mkdtempSync(join(folder, 'client-'));
  const git = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await run('git', args, { cwd: client, timeout: minutes });
    return exitCode === 0 ? stdout.toString().trim() : `${stderr}`;
  };
  await git('init', '--quiet');
  const failed = await git(
    ...['-c', `http.extraHeader=Authorization: Bearer ${token}`],
    ...['-c', `url.${reached.url}/.insteadOf=http://tributary.${space.name}.svc:8080/`],
    ...['fetch', '--quiet', from, branch],
  );
  return failed || git('rev-parse', 'FETCH_HEAD');
}

async function crd(plural: string): Promise<string> {
  return cluster.kubectl(['get', 'crd', `${plural}.tekton.example.com`, '--output=yaml']);
}

/** Lets a catalog be that of an index image: it says nothing else. */
async function offer(image: string): Promise<void> {
  const catalog = {
    apiVersion: 'operators.coreos.com/v1alpha1',
    kind: 'CatalogSource',
    metadata: { name: 'tributary' },
    spec: { sourceType: 'grpc', image },
  };
  await target.kubectl(['apply', '--filename=-'], JSON.stringify(catalog));
}

/** Makes a subscription to what an index offers. */
async function subscribe(image: string): Promise<void> {
  await offer(image);
  const objects = [
    {
      apiVersion: 'operators.coreos.com/v1',
      kind: 'OperatorGroup',
      metadata: { name: 'everywhere' },
      spec: {},
    },
    {
      apiVersion: 'operators.coreos.com/v1alpha1',
      kind: 'Subscription',
      metadata: { name: packageName },
      spec: {
        ...{ name: packageName, channel: 'latest', source: 'tributary' },
        sourceNamespace: target.name,
      },
    },
  ];
  for (const object of objects)
    await target.kubectl(['apply', '--filename=-'], JSON.stringify(object));
}

test.for([
  ['conflicts', 4701, 'merge-conflict'],
  ['does not compile', 4703, 'image-build-failed'],
] as const)(
  'a pull request that %s fails its run, and says whose it is',
  {
    timeout: 10 * minutes,
  },
  async ([, number, reason]) => {
    const failed = await ended(bad.get(number) as Build);
    expect(failed).toMatchObject({ state: 'failed', failure: { owner: 'ref', reason } });
    const condition = '--output=jsonpath={.status.conditions[0].status}';
    expect(await space.kubectl(['get', 'pipelinerun', failed.pipelinerun, condition])).toBe(
      'False',
    );
  },
);

test('the service is upgraded, and gets lost approvals back, by the commands of the guide', {
  timeout: 10 * minutes,
}, async () => {
  const image = await copyAs('next');
  const approvals = ['configmap', '--selector=tributary.dev/kind=approval'];
  const before = await space.kubectl(['get', ...approvals, '--output=name']);
  expect(before).not.toBe('');
  const [copy = '', edit = ''] = guide;
  expect(runningIt[0]?.split(' ')[0]).toBe(edit.split(' ')[0]);
  const restore = runningIt.findIndex((command) => command.includes('-f approvals.yaml'));
  const lose = `kubectl -n ${space.name} delete ${approvals.join(' ')}`;
  const commands = [copy, ...runningIt.slice(0, restore), lose, ...runningIt.slice(restore)];
  await followGuide(commands, { ...cluster, image }, space, demo);
  expect(await space.kubectl(['get', ...approvals, '--output=name'])).toBe(before);

  forward?.[Symbol.dispose]();
  forward = await portForward(cluster, space);
  const images = '--output=jsonpath={..spec.template.spec.containers[*].image}';
  expect(await space.kubectl(['get', 'deployment', 'tributary', images])).toBe(image);
  // Nobody vouches again, nothing is made again, and what was there before is known.
  const asked = await call('/', {
    ...{ name: 'after', components: { 'tektoncd/pipeline': 'tektoncd/pipeline#4638' } },
  });
  expect(asked.status, JSON.stringify(asked.body)).toBe(201);
  const after = await ended(asked.body);
  expect(after).toMatchObject({ state: 'succeeded', failure: null });
  expect(after.images.every(({ reused }) => reused)).toBe(true);
  const run = await space.kubectl(['get', 'pipelinerun', after.pipelinerun, '--output=json']);
  expect(run).toContain(image);
  expect((await call(`/api/builds/${first.tag}`)).body).toMatchObject({ state: 'succeeded' });
});

/** The image of the service under another tag. */
async function copyAs(tag: string): Promise<string> {
  const to = `${remote}/tributary-itself:${tag}`;
  copyImage(cluster, cluster.image, to);
  return to;
}
