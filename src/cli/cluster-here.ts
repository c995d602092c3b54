import { type Connection, findConnection } from '../adapters/cluster/connection.ts';
import type { LoadedConfiguration } from '../config/load-config.ts';

/** The cluster of a service: where its API server is, and the namespace of its runs. */
export interface ClusterHere {
  readonly connection: Connection;
  readonly namespace: string;
}

/** As `tekton` in the configuration says, else as `kubectl` finds it. Throws FailureError `bad-configuration`. */
export async function findCluster(
  { tekton }: Pick<LoadedConfiguration, 'tekton'>,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ClusterHere> {
  const kubeconfig = tekton?.kubeconfig;
  const connection = await findConnection({
    ...environment,
    ...(kubeconfig !== undefined && { KUBECONFIG: kubeconfig }),
  });
  return { connection, namespace: tekton?.namespace ?? connection.namespace };
}
