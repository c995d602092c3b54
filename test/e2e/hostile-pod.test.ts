import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { builderVersion } from '../../src/adapters/builder/buildah.ts';
import { toolSet } from '../../src/adapters/builder/tool-set.ts';
import { createRegistry } from '../../src/adapters/registry/registry.ts';
import { Configuration } from '../../src/config/config.ts';
import { renderTasks } from '../../src/engine/tekton/render-tasks.ts';
import { withFiles } from '../../src/plan/file-tree.ts';
import { Product } from '../../src/product/product.ts';
import type { Registry } from '../../src/steps/step.ts';
import { outcomeReference, readOutcome, type TaskOutcome } from '../../src/steps/task-outcome.ts';
import { writeTaskPlan } from '../../src/steps/task-plan.ts';
import { pushBusyboxImage } from '../support/busybox-image.ts';
import {
  createNamespace,
  type TestCluster,
  type TestNamespace,
  testCluster,
} from '../support/cluster.ts';
import { perlFiles } from '../support/hostile/perl-image.ts';
import { digestIn } from '../support/images.ts';
import { type SmallBuild, smallBuild } from '../support/small-build.ts';
import { smallProduct, tree } from '../support/small-product.ts';

/** Code of a hostile ref in the pod of a unit: each attack is tried on a real cluster, and fails. */

/** Names of attacks and what the Dockerfile runs, beside pry.pl. */
const attacks = {
  pry: `perl pry.pl @marker ${[
    '/pod/in/plan.json,/etc/tributary/config.yaml,/etc/tributary-push/auth.json,/var/run/secrets/kubernetes.io/serviceaccount/token',
    '/pod/in,/pod/out,/tekton/results,/tekton/home,/tekton/run,/tekton/steps,/workspace/file,/var/lib/tributary,/etc/tributary/config.yaml,/proc/sys/kernel/core_pattern,/sys/fs/cgroup',
    '10.96.0.1:443,169.254.169.254:80,REGISTRY',
    'tributary',
  ].join(
    ' ',
  )}; for path in /var/run/secrets /tekton /pod /workspace /etc/tributary; do test -e $path && echo "LOOT: $path" >&2; done; busybox setsid perl -e '$0 = "left-behind"; sleep 600' </dev/null &`,
  forks: "perl -e 'while (1) { fork }' & sleep 60",
  disk: "perl -e 'for $name (1 .. 1e9) { open F, q(>), $name; print F q(x) x 2e7; close F }'",
} as const;
type Attack = keyof typeof attacks;

const run = 'build-operator-bundle-0000000';
let cluster: TestCluster;
let space: TestNamespace;
let folder: string;
let registry: Registry;
let small: SmallBuild;
let plan: string;

beforeAll(async () => {
  cluster = testCluster();
  space = await createNamespace(cluster, 'hostile');
  folder = await mkdtemp(join(tmpdir(), 'tributary-hostile-'));
  const remote = `${cluster.registry}/${space.name}`;
  const authfile = join(cluster.pushSecret, 'config.json');
  const remotes = { demo: { push: remote, insecure: cluster.insecure } };
  registry = await createRegistry(
    Configuration.parse({ remotes: { demo: { ...remotes.demo, authfile } } }),
    { folder },
  );
  small = await buildOf(remote);
  const units = Object.fromEntries(
    Object.keys(attacks).map((name, index) => [`00${index}`, [`image/${name}`]]),
  );
  plan = await writeTaskPlan(registry, folder, run, { plan: small.plan, held: [], units });
  const limits = { sandbox: { processes: 200, 'disk-mib': 200 } };
  const secret = '/etc/tributary-push/auth.json';
  await apply(
    { kind: 'ConfigMap', metadata: { name: 'tributary-product' }, data: { 'product.yaml': '' } },
    {
      ...{ kind: 'ConfigMap', metadata: { name: 'tributary-config' } },
      data: {
        'config.yaml': `# ${small.plan.tag}\n${stringify({ limits, remotes: { demo: { ...remotes.demo, authfile: secret } } })}`,
      },
    },
    {
      ...{ kind: 'Secret', metadata: { name: 'tributary-push' } },
      stringData: { 'auth.json': await readFile(authfile, 'utf8') },
    },
    ...renderTasks(),
  );
}, 180_000);
afterAll(async () => {
  await small?.[Symbol.asyncDispose]();
  await space?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** A build with one image for each attack. */
async function buildOf(remote: string): Promise<SmallBuild> {
  const base = await pushBusyboxImage(registry, `${remote}/base:1`, await perlFiles());
  const pry = await readFile(new URL('../support/hostile/pry.pl', import.meta.url));
  const dockerfile =
    'FROM base AS build\nWORKDIR /src\nCOPY . .\nRUN sh attack.sh\nFROM base\nCOPY --from=build /src/marker /marker\n';
  const places = Object.entries(attacks).map(([name, code]) => {
    const place = `distgit/containers/${name}`;
    return tree({
      [`${place}/Dockerfile`]: dockerfile,
      [`${place}/attack.sh`]: code.replace('REGISTRY', cluster.registry),
      // What the tag begins with stands in the environment of the container, and in what it reads.
      [`${place}/marker`]: 'test-my-thing\n',
      [`${place}/pry.pl`]: pry.toString(),
    });
  });
  const image = (name: string) => ({
    ...{ context: `distgit/containers/${name}`, of: ['tektoncd/pipeline'] },
    csv: [`IMAGE_${name.toUpperCase()}`],
  });
  const images = Object.fromEntries(Object.keys(attacks).map((name) => [name, image(name)]));
  return smallBuild({
    ...{ registry, remote, bases: { base } },
    madeBy: toolSet(await builderVersion()),
    product: Product.parse({ ...smallProduct, images: { ...smallProduct.images, ...images } }),
    productFiles: withFiles(new Map(), ...places),
  });
}

function apply(...objects: readonly object[]): Promise<string> {
  const items = objects.map((object) => ({ apiVersion: 'v1', ...object }));
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  return space.kubectl(['apply', '--server-side', '-f', '-'], list);
}

/** Runs the unit of an attack as a TaskRun; gives why it ended, and what is known of it. */
async function attack(name: Attack): Promise<{ succeeded: string; outcome: TaskOutcome }> {
  const unit = `00${Object.keys(attacks).indexOf(name)}`;
  const given = {
    ...{ image: cluster.image, run, tag: small.plan.tag, lock: JSON.stringify(small.plan.lock) },
    ...{ plan, unit, rebuild: 'true' },
  };
  const params = Object.entries(given).map(([param, value]) => ({ name: param, value }));
  await apply({
    ...{ apiVersion: 'tekton.dev/v1', kind: 'TaskRun', metadata: { name } },
    spec: {
      ...{ taskRef: { name: 'tributary-unit' }, params },
      podTemplate: { automountServiceAccountToken: false, enableServiceLinks: false },
    },
  });
  const ended = ['--for', 'jsonpath={.status.completionTime}', '--timeout=150s'];
  await space.kubectl(['wait', `taskrun/${name}`, ...ended]);
  const { status } = JSON.parse(await space.kubectl(['get', 'taskrun', name, '-o', 'json']));
  const reference = outcomeReference(small.plan, run, `images-${unit}`);
  const outcome = await readOutcome(registry, reference);
  if (outcome === undefined) {
    const logs = await space.kubectl(['logs', status.podName, '--all-containers', '--prefix']);
    throw new Error(`no outcome: ${JSON.stringify(status.conditions)}\n${logs}`);
  }
  return { succeeded: status.conditions[0].status, outcome };
}

const failureIn = ({ messages }: TaskOutcome) =>
  messages.flatMap((message) => (message.kind === 'step-failed' ? message.failures : []))[0];

test('reaches nothing of its pod or its cluster: no token, file, environment, process, server, nor other rights', async () => {
  const { succeeded, outcome } = await attack('pry');
  const log = outcome.logs.get('image~pry.log')?.content.toString() ?? '';
  expect(log.split('\n').filter((line) => line.includes('LOOT:'))).toEqual([]);
  expect(log).toContain('everything was tried');
  expect(failureIn(outcome)).toBeUndefined();
  expect(succeeded).toBe('True');
  // Its image is there, by its key and under the tag, and nothing else of the build changed.
  expect(digestIn(`${small.remote}/pry:${small.plan.tag}`)).toBeDefined();
}, 200_000);

test.each([
  { name: 'forks', limit: 'processes' },
  { name: 'disk', limit: 'disk-mib' },
] as const)(
  '$name without end: the build is ended, and told why',
  async ({ name, limit }) => {
    const { succeeded, outcome } = await attack(name);
    expect(failureIn(outcome)).toMatchObject({ reason: 'limit-exceeded', about: { limit } });
    expect(succeeded).toBe('False');
    expect(digestIn(`${small.remote}/${name}:${small.plan.tag}`)).toBeUndefined();
  },
  200_000,
);
