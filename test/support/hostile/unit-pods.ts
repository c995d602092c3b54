import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { builderVersion } from '../../../src/adapters/builder/buildah.ts';
import { toolSet } from '../../../src/adapters/builder/tool-set.ts';
import { createRegistry } from '../../../src/adapters/registry/registry.ts';
import { Configuration } from '../../../src/config/config.ts';
import { renderTasks } from '../../../src/engine/tekton/render-tasks.ts';
import type { Task } from '../../../src/engine/tekton/tekton-api.ts';
import { type FileTree, withFiles } from '../../../src/plan/file-tree.ts';
import { Product } from '../../../src/product/product.ts';
import type { Registry } from '../../../src/steps/step.ts';
import {
  outcomeReference,
  readOutcome,
  type TaskOutcome,
} from '../../../src/steps/task-outcome.ts';
import { writeTaskPlan } from '../../../src/steps/task-plan.ts';
import { pushBusyboxImage } from '../busybox-image.ts';
import { createNamespace, type TestCluster, type TestNamespace } from '../cluster.ts';
import type { Json } from '../service.ts';
import { type SmallBuild, smallBuild } from '../small-build.ts';
import { smallProduct, tree } from '../small-product.ts';
import { perlFiles } from './perl-image.ts';

/** What a unit's pod came to. */
export interface UnitEnd {
  readonly succeeded: boolean;
  readonly outcome: TaskOutcome;
  /** The TaskRun and its pod as the cluster has them. */
  readonly taskRun: Json;
  readonly pod: Json;
  /** What Tekton says of results. */
  readonly results: Readonly<Record<string, string>>;
  /** What a container printed. */
  logOf(container: string): Promise<string>;
}

/** A namespace with a build that has one image, and so one unit, for each attack. */
export interface UnitPods extends AsyncDisposable {
  readonly small: SmallBuild;
  readonly space: TestNamespace;
  readonly registry: Registry;
  /** Credentials that `push` alone may know, as text. */
  readonly secrets: readonly string[];
  /** Runs the unit of an attack as a TaskRun. `edit` changes its task. */
  run(name: string, edit?: (task: Task) => Task): Promise<UnitEnd>;
}

export const hostileRun = 'build-operator-bundle-0000000';

/** `images`: Dockerfile and files of each, beside those of `base` with perl and busybox. `limits`: of the sandbox. */
export async function openUnitPods(
  cluster: TestCluster,
  images: Readonly<Record<string, FileTree>>,
  limits: Readonly<Record<string, number>>,
): Promise<UnitPods> {
  const space = await createNamespace(cluster, 'hostile');
  const folder = await mkdtemp(join(tmpdir(), 'tributary-hostile-'));
  const remote = `${cluster.registry}/${space.name}`;
  const authfile = join(cluster.pushSecret, 'config.json');
  const remotes = { demo: { push: remote, insecure: cluster.insecure } };
  const registry = await createRegistry(
    Configuration.parse({ remotes: { demo: { ...remotes.demo, authfile } } }),
    { folder },
  );
  const small = await buildOf(remote, registry, images);
  const names = Object.keys(images);
  const numbered = names.map((name, index) => [unitOf(index), [`image/${name}`]] as const);
  const units = Object.fromEntries(numbered);
  const plan = await writeTaskPlan(registry, folder, hostileRun, {
    ...{ plan: small.plan, held: [], units },
  });
  const apply = (...objects: readonly object[]) => {
    const items = objects.map((object) => ({ apiVersion: 'v1', ...object }));
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
    return space.kubectl(['apply', '--server-side', '-f', '-'], list);
  };
  const auth = await readFile(authfile, 'utf8');
  const mounted = '/etc/tributary-push/auth.json';
  await apply(
    { kind: 'ConfigMap', metadata: { name: 'tributary-product' }, data: { 'product.yaml': '' } },
    {
      ...{ kind: 'ConfigMap', metadata: { name: 'tributary-config' } },
      data: {
        'config.yaml': `# ${small.plan.tag}\n${stringify({
          limits: { sandbox: limits },
          remotes: { demo: { ...remotes.demo, authfile: mounted } },
        })}`,
      },
    },
    {
      ...{ kind: 'Secret', metadata: { name: 'tributary-push' } },
      stringData: { 'auth.json': auth },
    },
    ...renderTasks(),
  );
  const get = async (kind: string, name: string): Promise<Json> =>
    JSON.parse(await space.kubectl(['get', kind, name, '-o', 'json']));
  return {
    ...{ small, space, registry, secrets: secretsIn(auth) },
    async run(name, edit) {
      const unit = unitOf(names.indexOf(name));
      const given = {
        ...{ image: cluster.image, run: hostileRun, tag: small.plan.tag },
        ...{ lock: JSON.stringify(small.plan.lock), plan, unit, rebuild: 'true' },
      };
      const params = Object.entries(given).map(([param, value]) => ({ name: param, value }));
      const task = renderTasks().find(({ metadata }) => metadata.name === 'tributary-unit');
      if (task === undefined) throw new Error('no task of a unit');
      await apply({
        ...{ apiVersion: 'tekton.dev/v1', kind: 'TaskRun', metadata: { name } },
        spec: {
          ...(edit === undefined
            ? { taskRef: { name: task.metadata.name } }
            : { taskSpec: edit(task).spec }),
          params,
          podTemplate: { automountServiceAccountToken: false, enableServiceLinks: false },
        },
      });
      const ended = ['--for', 'jsonpath={.status.completionTime}', '--timeout=150s'];
      await space.kubectl(['wait', `taskrun/${name}`, ...ended]);
      const taskRun = await get('taskrun', name);
      const { podName, conditions, results = [] } = taskRun.status;
      const pod = await get('pod', podName);
      const reference = outcomeReference(small.plan, hostileRun, `images-${unit}`);
      const outcome = await readOutcome(registry, reference);
      if (outcome === undefined) {
        const logs = await space.kubectl(['logs', podName, '--all-containers', '--prefix']);
        throw new Error(`no outcome: ${JSON.stringify(conditions)}\n${logs}`);
      }
      return {
        ...{ succeeded: conditions[0].status === 'True', outcome, taskRun, pod },
        results: Object.fromEntries(results.map((one: Json) => [one.name, one.value])),
        logOf: (container) => space.kubectl(['logs', podName, `--container=step-${container}`]),
      };
    },
    async [Symbol.asyncDispose]() {
      await small[Symbol.asyncDispose]();
      await space[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const unitOf = (index: number) => String(index).padStart(3, '0');

async function buildOf(
  remote: string,
  registry: Registry,
  images: Readonly<Record<string, FileTree>>,
): Promise<SmallBuild> {
  const base = await pushBusyboxImage(registry, `${remote}/base:1`, await perlFiles());
  const places = Object.entries(images).map(
    ([name, files]) =>
      new Map([
        // What the tag begins with stands in the environment of the container, and in what it reads.
        ...tree({ [`distgit/containers/${name}/marker`]: 'test-my-thing\n' }),
        ...[...files].map(([path, file]) => [`distgit/containers/${name}/${path}`, file] as const),
      ]),
  );
  const image = (name: string) => ({
    ...{ context: `distgit/containers/${name}`, of: ['tektoncd/pipeline'] },
    csv: [`IMAGE_${name.toUpperCase()}`],
  });
  const more = Object.fromEntries(Object.keys(images).map((name) => [name, image(name)]));
  return smallBuild({
    ...{ registry, remote, bases: { base } },
    madeBy: toolSet(await builderVersion()),
    product: Product.parse({
      ...{ ...smallProduct, cache: ['/var/cache/compiled'] },
      images: { ...smallProduct.images, ...more },
    }),
    productFiles: withFiles(new Map(), ...places),
  });
}

/** What an authfile holds, each as it is written there and in the clear. */
function secretsIn(authfile: string): string[] {
  const { auths } = JSON.parse(authfile) as { auths: Record<string, { auth: string }> };
  return Object.values(auths).flatMap(({ auth }) => [
    auth,
    Buffer.from(auth, 'base64').toString().replace(/^.*?:/, ''),
  ]);
}
