import { homedir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';

/**
 * Where the test cluster has what. Addresses are the same on every machine, so that image names are, too; hence one cluster per machine.
 * The node is a network namespace: it and the host are the two ends of a cable (a veth pair).
 */
export const addresses = {
  node: '10.243.0.1',
  host: '10.243.0.2',
  /** Of the Kubernetes API, as a Service. */
  api: '10.96.0.1',
  dns: '10.96.0.10',
  services: '10.96.0.0/16',
  pods: '10.244.0.0/24',
} as const;

/** The host's end of the cable. */
export const cable = 'tributary0';

/** Two registries over one storage, under these names on the host, on the node and in pods. */
export const registries = {
  plain: `${addresses.node}:5000`,
  tls: `${addresses.node}:5443`,
} as const;

/** Who may write to the registries asks here first. */
export const tokenServer = `http://${addresses.node}:5002/token`;

/** Tells every clone on this machine which cluster runs. */
export const pointer = '/run/tributary-cluster.json';

/** What clusters leave for the next one, whichever clone starts it: images, and layers of the builder image. */
export const cache = join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'tributary/cluster');

/** The files of a cluster below its folder. */
export interface Places {
  readonly folder: string;
  /** All that ends with the cluster. */
  readonly run: string;
  readonly logs: string;
  readonly pki: string;
  readonly kubeconfig: string;
  /** Folder with `config.json`: what may write to the registries (DOCKER_CONFIG). */
  readonly pushSecret: string;
}

/** The places of the cluster in a folder. */
export function placesOf(folder: string): Places {
  const run = join(folder, 'run');
  return {
    folder,
    run,
    logs: join(run, 'logs'),
    pki: join(run, 'pki'),
    kubeconfig: join(run, 'admin.kubeconfig'),
    pushSecret: join(run, 'push'),
  };
}
