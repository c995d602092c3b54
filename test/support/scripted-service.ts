import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRegistry } from '../../src/adapters/registry/registry.ts';
import { Configuration } from '../../src/config/config.ts';
import { readProduct } from '../../src/config/read-product.ts';
import { taskKinds } from '../../src/config/tekton.ts';
import { renderPipeline } from '../../src/engine/tekton/render-pipeline.ts';
import { renderTasks, taskNames } from '../../src/engine/tekton/render-tasks.ts';
import type { Lock } from '../../src/plan/lock.ts';
import type { Tag } from '../../src/plan/names.ts';
import type { TestCluster } from './cluster.ts';
import type { ClusterDemo } from './cluster-demo.ts';
import { type DeployedService, deployService } from './deployed-service.ts';
import { applyObjects } from './install-rights.ts';
import { startTaskServer, type TaskServer } from './task-server.ts';
import { scriptedImage } from './tekton-rig.ts';

/** A deployed service whose builds do as they are told; their report is the real one. */
export interface ScriptedService extends DeployedService {
  readonly server: TaskServer;
}

/** Memory that the container of a unit's code may take. */
const memory = '64Mi';

/** Installs it: every ref is trusted, and steps take no more than they need. */
export async function deployScripted(
  cluster: TestCluster,
  demo: ClusterDemo,
): Promise<ScriptedService> {
  const small = { requests: { cpu: '10m', memory: '16Mi' }, limits: {} };
  const tasks = Object.fromEntries(taskKinds.map((kind) => [kind, small]));
  const service = await deployService(cluster, 'faults', demo, {
    access: { callers: 'kubernetes', trust: { demand: 'none' } },
    tekton: { tasks: { ...tasks, images: { ...small, limits: { memory } } } },
  });
  const { space, remote } = service;
  const folder = await mkdtemp(join(tmpdir(), 'tributary-faults-'));
  const { insecure, pushSecret } = cluster;
  const authfile = join(pushSecret, 'config.json');
  const remotes = { demo: { push: remote, insecure, authfile } };
  const registry = await createRegistry(Configuration.parse({ remotes }), { folder });
  const { product } = await readProduct(demo.product);
  const bases = new Map<string, Promise<{ lock: Lock; tag: Tag }>>();
  const server = await startTaskServer(
    cluster.host,
    registry,
    async (run) => {
      const base = bases.get(run) ?? askedOf(run);
      bases.set(run, base);
      return { ...(await base), product, upstreamSources: '' };
    },
    { realReport: true },
  );
  const askedOf = async (run: string) => {
    const { items } = JSON.parse(await space.kubectl(['get', 'pipelineruns', '--output=json'])) as {
      items: { metadata: { uid: string }; spec: { params: { name: string; value: string }[] } }[];
    };
    const params = items.find(({ metadata }) => metadata.uid === run)?.spec.params;
    const param = (name: string) => params?.find((one) => one.name === name)?.value ?? '';
    return { lock: JSON.parse(param('lock')) as Lock, tag: param('tag') as Tag };
  };
  const image = await scriptedImage(cluster);
  const scripted = renderTasks()
    .filter(({ metadata }) => metadata.name !== taskNames.report)
    .map((task) => {
      const steps = task.spec.steps.map((step) => ({ ...step, image }));
      return { ...task, spec: { ...task.spec, steps } };
    });
  const pipeline = renderPipeline('tributary');
  for (const task of pipeline.spec.finally) Object.assign(task, { when: [] });
  await applyObjects(space.kubectl, [...scripted, pipeline], '--force-conflicts');
  const rig = JSON.stringify({ data: { rig: server.url } });
  await space.kubectl(['patch', 'configmap', 'tributary-product', '--patch', rig]);
  return {
    ...service,
    server,
    async [Symbol.asyncDispose]() {
      await server.close();
      await service[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
