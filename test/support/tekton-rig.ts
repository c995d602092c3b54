import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connection, findConnection } from '../../src/adapters/cluster/connection.ts';
import {
  createKubernetesApi,
  type KubernetesApi,
} from '../../src/adapters/cluster/kubernetes-api.ts';
import { createTektonCluster } from '../../src/adapters/cluster/tekton-cluster.ts';
import { createRegistry } from '../../src/adapters/registry/registry.ts';
import { Configuration } from '../../src/config/config.ts';
import { Tekton, taskKinds } from '../../src/config/tekton.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { EngineRig } from '../../src/engine/engine-rig.ts';
import {
  createTektonEngine,
  type TektonEngineOptions,
} from '../../src/engine/tekton/create-tekton-engine.ts';
import { renderPipeline } from '../../src/engine/tekton/render-pipeline.ts';
import { renderTasks } from '../../src/engine/tekton/render-tasks.ts';
import { tagLabel } from '../../src/engine/tekton/run-names.ts';
import { pushBusyboxImage } from './busybox-image.ts';
import type { TestCluster } from './cluster.ts';
import { demoBuild } from './demo-build.ts';
import { MemoryRegistry } from './memory-registry.ts';
import { pastOf } from './past-of.ts';
import { startTaskServer, type TaskServer } from './task-server.ts';

/** The Tekton engine in a namespace of its own, over pods that do as they are told. */
export interface TektonRig extends EngineRig {
  readonly namespace: string;
  readonly api: KubernetesApi;
  readonly connection: Connection;
  readonly settings: Tekton;
  readonly server: TaskServer;
  /** A further engine on the same namespace, as another replica would have. */
  another(options?: Partial<TektonEngineOptions>): Engine;
}

/** Makes a rig in a new namespace, which is removed at the end. */
export async function makeTektonRig(cluster: TestCluster): Promise<TektonRig> {
  const connection = await findConnection({ KUBECONFIG: cluster.kubeconfig });
  const api = createKubernetesApi(connection);
  const namespace = `engine-${randomUUID().slice(0, 8)}`;
  const registry = new MemoryRegistry();
  const server = await startTaskServer(cluster.host, registry, async () => ({
    lock: demoBuild().lock,
  }));
  await install(api, namespace, server.url);
  const small = { requests: { cpu: '10m', memory: '16Mi' }, limits: {} };
  const settings = Tekton.parse({
    image: await scriptedImage(cluster),
    tasks: Object.fromEntries(taskKinds.map((kind) => [kind, small])),
  });
  const engines: Engine[] = [];
  const another = (options: Partial<TektonEngineOptions> = {}) => {
    const engine = createTektonEngine({
      cluster: createTektonCluster(api, { namespace, selector: tagLabel }),
      ...{ settings, url: 'http://127.0.0.1:8080', notify: () => {}, now: () => new Date() },
      registry: async () => registry,
      past: pastOf([]),
      report: (text, error) => process.stderr.write(`${text}: ${String(error)}\n`),
      ...options,
    });
    engines.push(engine);
    return engine;
  };
  return {
    ...{ namespace, api, connection, settings, server, another, engine: another() },
    script: async (name, steps, prepare = 'finish') => server.script(name, steps, prepare),
    release: async (name) => server.release(name),
    starts: async (name, step) => server.starts(name, step),
    processes: () => countPods(api, namespace),
    traits: { queue: false, needs: 'stages', cancelMilliseconds: 20_000, plans: 2 },
    async close() {
      await Promise.all(engines.map((engine) => engine.close()));
      await server.close();
      await api.ask('DELETE', `/api/v1/namespaces/${namespace}`);
    },
  };
}

/** What `deploy/tekton` installs, and what its Tasks mount. */
async function install(api: KubernetesApi, namespace: string, rig: string): Promise<void> {
  const core = `/api/v1/namespaces/${namespace}`;
  const tekton = `/apis/tekton.dev/v1/namespaces/${namespace}`;
  const create = (path: string, kind: string, name: string, more: object = {}) =>
    api.ask('POST', path, { body: { apiVersion: 'v1', kind, metadata: { name }, ...more } });
  await create('/api/v1/namespaces', 'Namespace', namespace);
  await Promise.all([
    create(`${core}/serviceaccounts`, 'ServiceAccount', 'tributary-build'),
    create(`${core}/configmaps`, 'ConfigMap', 'tributary-config', { data: { rig } }),
    create(`${core}/configmaps`, 'ConfigMap', 'tributary-product'),
    create(`${core}/secrets`, 'Secret', 'tributary-push'),
    ...renderTasks().map((body) => api.ask('POST', `${tekton}/tasks`, { body })),
    api.ask('POST', `${tekton}/pipelines`, { body: renderPipeline('tributary') }),
  ]);
}

/** The image of scripted pods, which is pushed where it is not there yet. */
export async function scriptedImage({
  registry: host,
  pushSecret,
  insecure,
}: TestCluster): Promise<string> {
  const script = (name: string) => readFileSync(join(import.meta.dirname, name));
  const programs = {
    'bin/tributary': script('scripted-task.sh'),
    'bin/unshare': script('scripted-unshare.sh'),
  };
  const hash = createHash('sha256').update(JSON.stringify(programs)).digest('hex').slice(0, 12);
  const configuration = Configuration.parse({
    remotes: {
      tests: { push: `${host}/tests`, authfile: join(pushSecret, 'config.json'), insecure },
    },
  });
  const registry = await createRegistry(configuration, { folder: tmpdir() });
  const reference = `${host}/tests/scripted-task:${hash}`;
  if (await registry.manifest(reference)) return reference;
  const files = Object.entries(programs).map(
    ([path, content]) => [path, { mode: '100755' as const, content }] as const,
  );
  await pushBusyboxImage(registry, reference, new Map(files));
  return reference;
}

/** Pods that are there and have not ended by themselves. */
async function countPods(api: KubernetesApi, namespace: string): Promise<number> {
  const list = (await api.ask('GET', `/api/v1/namespaces/${namespace}/pods`)) as {
    readonly items: readonly { readonly status?: { readonly phase?: string } }[];
  };
  return list.items.filter(({ status }) => !/^(Succeeded|Failed)$/.test(status?.phase ?? ''))
    .length;
}
