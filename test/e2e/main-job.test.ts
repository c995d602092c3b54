import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../src/adapters/processes/command.ts';
import type { Build } from '../../src/builds/build.ts';
import {
  createNamespace,
  type TestCluster,
  type TestNamespace,
  testCluster,
} from '../support/cluster.ts';
import {
  type ClusterDemo,
  installService,
  lacksUnderTag,
  startClusterDemo,
} from '../support/cluster-demo.ts';
import type { Json } from '../support/service.ts';
import { tool } from '../support/tools.ts';

/** The whole flow of the proposal: a request, a PipelineRun, a bundle that OLM installs, and the pull request's code in a pod. */
let cluster: TestCluster;
let space: TestNamespace;
let target: TestNamespace;
let demo: ClusterDemo;
let remote: string;
let forward: ChildProcess;
let url: string;
let token: string;
const folder = mkdtempSync(join(tmpdir(), 'tributary-e2e-'));
const minutes = 60_000;

beforeAll(async () => {
  cluster = testCluster();
  space = await createNamespace(cluster, 'tributary');
  target = await createNamespace(cluster, 'operators');
  demo = await startClusterDemo(cluster);
  remote = await installService(cluster, space, demo);
  // Who asks is a ServiceAccount here; they may ask and vouch.
  await space.kubectl(['create', 'serviceaccount', 'ada']);
  for (const role of ['builder', 'approver'])
    await space.kubectl([
      ...['create', 'rolebinding', `ada-${role}`, `--role=tributary-${role}`],
      `--serviceaccount=${space.name}:ada`,
    ]);
  token = (await space.kubectl(['create', 'token', 'ada'])).trim();
  [forward, url] = await portForward();
}, 10 * minutes);

afterAll(async () => {
  forward?.kill();
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

/** kubectl chooses a port of this machine. */
async function portForward(): Promise<[ChildProcess, string]> {
  const child = spawn(
    join(import.meta.dirname, '../../.tools/bin/kubectl'),
    [
      ...['--kubeconfig', cluster.kubeconfig, '--namespace', space.name],
      ...['port-forward', 'service/tributary', ':8080'],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  child.stdout?.resume();
  return [child, `http://127.0.0.1:${/127\.0\.0\.1:(\d+)/.exec(line.toString())?.[1]}`];
}

async function call(path: string, body?: unknown): Promise<{ status: number; body: Json }> {
  const response = await fetch(`${url}${path}`, {
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}

/** `tributary ARGS`, as people call it. */
async function tributary(...args: string[]) {
  const { exitCode, stdout, stderr } = await run(
    process.execPath,
    [join(import.meta.dirname, '../../src/cli.ts'), '--server', url, ...args],
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

/** Vouches for the head of a pull request, and asks for it. */
async function build(name: string, component: string, number: number): Promise<Build> {
  const repository = join(demo.repositories, `${component}.git`);
  const head = execFileSync('git', ['-C', repository, 'rev-parse', `refs/pull/${number}/head`]);
  const ref = `${component}#${number}`;
  const approved = await tributary('approve', `${ref}@${head.toString().trim()}`);
  expect(approved.exitCode, approved.text).toBe(0);
  const asked = await tributary('build', ref, '--name', name, '--json');
  return JSON.parse(asked.text.trim().split('\n').at(-1) ?? '');
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

/** What the demo's operator image is called in the CSV that OLM installed, and all else that it says. */
async function installedCsv(): Promise<string> {
  return target.kubectl(['get', 'csv', '--output=yaml']);
}

const packageName = 'openshift-pipelines-operator-rh';

/** Waits until OLM has installed the version of a build. */
async function installed({ tag }: Build): Promise<void> {
  const version = `${packageName}.v1.7.0-t${tag.slice(tag.lastIndexOf('-') + 1)}`;
  const phase = ['get', 'csv', version, '--output=jsonpath={.status.phase}'];
  const look = () => target.kubectl(phase).catch(() => '');
  await expect.poll(look, { timeout: 4 * minutes, interval: 1000 }).toBe('Succeeded');
}

describe('the request of the proposal', () => {
  const request = {
    name: 'test-my-thing',
    components: { 'tektoncd/pipeline': 'tektoncd/pipeline#4638' },
  };
  let first: Build;
  let second: Build;

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
  });

  test('comes to a build with every image under its tag', { timeout: 20 * minutes }, async () => {
    const followed = await tributary('status', first.tag, '--follow');
    expect(followed.exitCode, followed.text).toBe(0);
    first = (await call(`/api/builds/${first.tag}`)).body;
    expect(first).toMatchObject({ state: 'succeeded', failure: null });
    expect(first.images).toHaveLength(9);
    expect(lacksUnderTag(remote, first.tag, first.images)).toEqual([]);
  });

  const bundleOf = ({ tag }: Build) =>
    `${cluster.tlsRegistry}/${space.name}/${packageName.replace(/-rh$/, '')}-bundle:${tag}`;

  test('is installed by OLM, and answers in its pod', { timeout: 10 * minutes }, async () => {
    await operatorSdk('run', 'bundle', bundleOf(first), ...cluster.runBundle);
    await installed(first);
    await expect.poll(greeting, { timeout: minutes }).toContain('Greetings from pull request 4638');
    expect(await crd('pipelines')).toContain('displayName');
  });

  test('makes room for a second build, changed manifests too', {
    timeout: 20 * minutes,
  }, async () => {
    second = await build('another', 'tektoncd/pipeline', 4704);
    expect(second).toMatchObject({ state: 'succeeded', failure: null });
    await operatorSdk('run', 'bundle-upgrade', bundleOf(second));
    await installed(second);
    await expect.poll(greeting, { timeout: minutes }).not.toContain('4638');
    expect(await crd('tasks')).toContain('How long the step may take');
    await operatorSdk('cleanup', packageName);
    expect(await target.kubectl(['get', 'csv,subscription', '--output=name'])).toBe('');
  });

  test('is installed from a catalog that names nothing but the index, and again under another name', {
    timeout: 20 * minutes,
  }, async () => {
    await subscribe(first);
    await installed(first);
    await offer(second);
    await installed(second);
    // Back to a version that was installed before OLM does not find: the same code has another one under another name.
    const again = await build('back-again', 'tektoncd/pipeline', 4638);
    expect(again.images.every(({ reused }) => reused)).toBe(true);
    await offer(again);
    await installed(again);
    await expect.poll(greeting, { timeout: minutes }).toContain('4638');
  });

  test('of the operator brings its CRD, its rights and its image into the installed CSV', {
    timeout: 20 * minutes,
  }, async () => {
    const operator = await build('operator', 'tektoncd/operator', 1400);
    expect(operator).toMatchObject({ state: 'succeeded', failure: null });
    await offer(operator);
    await installed(operator);
    const csv = await installedCsv();
    expect(csv).toContain('tektonpruners.operator.tekton.example.com');
    expect(csv).toContain('IMAGE_PRUNER_PRUNER');
    expect(csv).toMatch(/resources:\n\s+- jobs\n/);
    await operatorSdk('cleanup', packageName);
  });
});

async function crd(plural: string): Promise<string> {
  return cluster.kubectl(['get', 'crd', `${plural}.tekton.example.com`, '--output=yaml']);
}

function catalog({ index }: Build): object {
  return {
    apiVersion: 'operators.coreos.com/v1alpha1',
    kind: 'CatalogSource',
    metadata: { name: 'tributary' },
    spec: { sourceType: 'grpc', image: index.image },
  };
}

async function offer(build: Build): Promise<void> {
  await target.kubectl(['apply', '--filename=-'], JSON.stringify(catalog(build)));
}

/** Makes a subscription to what a build's index offers. */
async function subscribe(build: Build): Promise<void> {
  await offer(build);
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
    const failed = await build(`bad-${number}`, 'tektoncd/pipeline', number);
    expect(failed).toMatchObject({ state: 'failed', failure: { owner: 'ref', reason } });
    const condition = '--output=jsonpath={.status.conditions[0].status}';
    expect(await space.kubectl(['get', 'pipelinerun', failed.pipelinerun, condition])).toBe(
      'False',
    );
  },
);
