import { join } from 'node:path';
import type { DemoSize } from '../../examples/make-repositories.ts';
import { runningNode } from '../cluster/node.ts';
import {
  createNamespace,
  type TestCluster,
  type TestNamespace,
  testCluster,
} from '../support/cluster.ts';
import {
  type ClusterDemo,
  installService,
  lean,
  remoteOf,
  startClusterDemo,
} from '../support/cluster-demo.ts';
import { type ServiceRig, serviceRig } from '../support/service.ts';
import { say } from './world.ts';

/** The demo on a cluster, with a service in a namespace of its own. */
export interface ClusterWorld extends AsyncDisposable {
  readonly cluster: TestCluster;
  readonly space: TestNamespace;
  readonly demo: ClusterDemo;
  /** A service on this machine over the same repositories, base images and registry, whose builds are made by `engine`. */
  rig(engine: 'local' | 'tekton'): ServiceRig;
}

/** Starts it; undefined, and a line that says so, where there is no cluster. */
export async function openClusterWorld(
  what: string,
  size: DemoSize,
  change?: Parameters<typeof startClusterDemo>[2],
): Promise<ClusterWorld | undefined> {
  if (!process.env['E2E_KUBECONFIG'] && runningNode() === undefined) {
    say(`${what}: left out, for no cluster runs here; \`make cluster\` starts one`);
    return undefined;
  }
  const cluster = testCluster();
  const demo = await startClusterDemo(cluster, size, change);
  const space = await createNamespace(cluster, 'bench');
  await installService(cluster, space, demo);
  return {
    ...{ cluster, space, demo },
    rig(engine) {
      const remote =
        engine === 'tekton' ? remoteOf(cluster, space) : `${remoteOf(cluster, space)}-local`;
      const { kubeconfig, image, pushSecret, insecure } = cluster;
      const authfile = join(pushSecret, 'config.json');
      const { git, product, repositories } = demo;
      return serviceRig(
        { git, product, repositories, registry: cluster.registry },
        {
          engine,
          registries: { [cluster.registry.split('/')[0] ?? '']: { insecure } },
          remotes: { demo: { push: remote, authfile, insecure, default: true } },
          ...(engine === 'tekton' && {
            tekton: { namespace: space.name, image, kubeconfig, tasks: lean },
          }),
        },
        { remote },
      );
    },
    async [Symbol.asyncDispose]() {
      await space[Symbol.asyncDispose]();
      await cluster.kubectl([
        ...['delete', 'clusterrolebinding', `tributary:${space.name}`, '--ignore-not-found'],
      ]);
      await demo[Symbol.asyncDispose]();
    },
  };
}
