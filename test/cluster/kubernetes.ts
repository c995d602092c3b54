import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { containerdSocket } from './containerd.ts';
import { podGroup } from './control-group.ts';
import { kubectlFor, succeeds } from './kubectl.ts';
import type { Node } from './node.ts';
import { addresses, type Places, placesOf } from './places.ts';
import { startOnNode, until } from './programs.ts';

const url = `https://${addresses.node}:6443`;
const program = join(import.meta.dirname, '../../.tools/programs/kubernetes/kubernetes');

/** Starts etcd and the API server, and waits until it is ready. */
export async function startApiServer(node: Node): Promise<void> {
  const places = placesOf(node.folder);
  writeKubeconfig(places);
  const etcd = 'http://127.0.0.1:2379';
  const peers = ['--listen-peer-urls', 'http://127.0.0.1:2380'];
  const clients = ['--listen-client-urls', etcd, '--advertise-client-urls', etcd];
  // Nothing of it is wanted after the machine went down.
  const quick = [
    '--unsafe-no-fsync',
    '--data-dir',
    join(places.run, 'etcd'),
    '--log-level',
    'error',
  ];
  startOnNode(node, { name: 'etcd', command: 'etcd', args: [...quick, ...clients, ...peers] });
  startOnNode(node, {
    name: 'kube-apiserver',
    command: program,
    args: ['kube-apiserver', ...flags(apiServer(places, etcd))],
  });
  await until(node, 'kube-apiserver', () =>
    succeeds(kubectlFor(places.kubeconfig), ['get', '--raw', '/readyz']),
  );
}

/** Starts the other processes of Kubernetes; they wait for each other. */
export async function startKubernetes(node: Node): Promise<void> {
  const places = placesOf(node.folder);
  const { kubeconfig, pki, run } = places;
  const start = (name: string, settings: Settings) =>
    startOnNode(node, {
      name,
      command: program,
      args: [name, ...flags({ kubeconfig, ...settings })],
    });
  start('kube-controller-manager', {
    'service-account-private-key-file': join(pki, 'service-accounts.key'),
    'root-ca-file': join(pki, 'ca.crt'),
    'use-service-account-credentials': true,
    'leader-elect': false,
    'bind-address': '127.0.0.1',
  });
  start('kube-scheduler', { 'leader-elect': false, 'bind-address': '127.0.0.1' });
  mkdirSync(join(run, 'kubelet'), { recursive: true });
  const file = join(run, 'kubelet.yaml');
  writeFileSync(file, stringify(kubelet(places)));
  start('kubelet', {
    config: file,
    'root-dir': join(run, 'kubelet'),
    'cert-dir': join(run, 'kubelet-pki'),
    'hostname-override': 'node',
    'node-ip': addresses.node,
  });
  start('kube-proxy', {
    'hostname-override': 'node',
    'proxy-mode': 'iptables',
    // The limit is the machine's, and not the node's to set.
    'conntrack-max-per-core': 0,
    'bind-address': '127.0.0.1',
  });
  const ready = ['wait', 'node/node', '--for=condition=Ready', '--timeout=1s'];
  await until(node, 'kubelet', () => succeeds(kubectlFor(places.kubeconfig), ready));
}

type Settings = Readonly<Record<string, string | number | boolean>>;

function flags(settings: Settings): string[] {
  return Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
}

function apiServer({ pki }: Places, etcd: string): Settings {
  const inPki = (name: string) => join(pki, name);
  return {
    'etcd-servers': etcd,
    'bind-address': addresses.node,
    'advertise-address': addresses.node,
    'service-cluster-ip-range': addresses.services,
    'client-ca-file': inPki('ca.crt'),
    'tls-cert-file': inPki('apiserver.crt'),
    'tls-private-key-file': inPki('apiserver.key'),
    'kubelet-certificate-authority': '',
    'kubelet-client-certificate': inPki('kubelet-client.crt'),
    'kubelet-client-key': inPki('kubelet-client.key'),
    // The name of the node is known to nobody.
    'kubelet-preferred-address-types': 'InternalIP',
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': inPki('service-accounts.crt'),
    'service-account-signing-key-file': inPki('service-accounts.key'),
    'authorization-mode': 'Node,RBAC',
    'enable-admission-plugins': 'NodeRestriction',
    'allow-privileged': true,
    profiling: false,
  };
}

function kubelet({ run, pki }: Places): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: addresses.node,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(pki, 'ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    containerRuntimeEndpoint: `unix://${containerdSocket(run)}`,
    clusterDNS: [addresses.dns],
    clusterDomain: 'cluster.local',
    cgroupDriver: 'cgroupfs',
    cgroupRoot: podGroup,
    failCgroupV1: false,
    failSwapOn: false,
    localStorageCapacityIsolation: false,
    podPidsLimit: 2304,
    podLogsDir: join(run, 'pod-logs'),
    registryPullQPS: 0,
    serializeImagePulls: false,
    // A full disk of the machine is not this cluster's to mend.
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    evictionHard: {
      'memory.available': '200Mi',
      'nodefs.available': '0%',
      'imagefs.available': '0%',
    },
    // Pods that end are seen soon.
    syncFrequency: '10s',
    shutdownGracePeriod: '0s',
  };
}

function writeKubeconfig({ kubeconfig, pki }: Places): void {
  const base64 = (name: string) => readFileSync(join(pki, name)).toString('base64');
  const name = 'tributary-test-cluster';
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster: { server: url, 'certificate-authority-data': base64('ca.crt') } }],
    users: [
      {
        name: 'admin',
        user: {
          'client-certificate-data': base64('admin.crt'),
          'client-key-data': base64('admin.key'),
        },
      },
    ],
    contexts: [{ name, context: { cluster: name, user: 'admin' } }],
  };
  writeFileSync(kubeconfig, stringify(config), { mode: 0o600 });
}
