import {
  ApiError,
  createKubernetesApi,
  type KubernetesApi,
} from '../adapters/cluster/kubernetes-api.ts';
import { list } from '../adapters/cluster/list-watch.ts';
import { readRun } from '../adapters/cluster/read-objects.ts';
import { type LoadedConfiguration, loadConfiguration } from '../config/load-config.ts';
import type { ClusterRun } from '../engine/tekton/cluster.ts';
import { oldRuns } from '../engine/tekton/old-runs.ts';
import { tagLabel } from '../engine/tekton/run-names.ts';
import type { CliContext } from './cli-io.ts';
import { findCluster } from './cluster-here.ts';

/** `tributary prune`: removes what is left on a cluster of builds that ended long ago. */
export async function prune(context: CliContext): Promise<number> {
  const { io, globals } = context;
  const configuration = await loadConfiguration(globals.config, io.environment);
  const days = configuration.limits['keep-days'];
  const removed =
    configuration.tekton === undefined ? [] : await pruneCluster(configuration, context);
  if (globals.json) io.out(`${JSON.stringify({ removed })}\n`);
  else {
    for (const name of removed) io.out(`removed  ${name}\n`);
    io.out(`${removed.length} runs of builds that ended more than ${days} days ago are removed.\n`);
  }
  return 0;
}

async function pruneCluster(
  configuration: LoadedConfiguration,
  { io }: CliContext,
): Promise<readonly string[]> {
  const { limits } = configuration;
  const { connection, namespace } = await findCluster(configuration, io.environment);
  const api = createKubernetesApi(connection);
  const path = `/apis/tekton.dev/v1/namespaces/${namespace}/pipelineruns`;
  const { items } = await list(api, path, {
    query: { labelSelector: tagLabel },
    read: readRun,
    signal: new AbortController().signal,
  });
  const before = new Date(io.now() - limits['keep-days'] * 24 * 60 * 60 * 1000);
  const removed: string[] = [];
  for (const run of oldRuns(items, before))
    if (await remove(api, path, run)) removed.push(run.name);
  return removed;
}

/** Its tasks and pods go with it. False where somebody else removed it, or made another of its name. */
async function remove(
  api: KubernetesApi,
  path: string,
  { name, uid }: ClusterRun,
): Promise<boolean> {
  const body = {
    ...{ apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' },
    preconditions: { uid },
  };
  try {
    await api.ask('DELETE', `${path}/${name}`, { body });
    return true;
  } catch (error) {
    if (error instanceof ApiError && [404, 409].includes(error.status)) return false;
    throw error;
  }
}
