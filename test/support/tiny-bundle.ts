import { join } from 'node:path';
import { textFile } from '../../src/plan/file-tree.ts';
import { gzipLayer } from '../../src/steps/oci-layout.ts';
import { pushImage } from '../cluster/oci-image.ts';
import type { TestCluster } from './cluster.ts';

/** Pushes the bundle of an operator `tiny` that does nothing but run; gives its reference under a name with TLS. */
export async function pushTinyBundle(cluster: TestCluster, path: string): Promise<string> {
  const csv = clusterServiceVersion(cluster.image);
  const tree = new Map([
    ['manifests/tiny.clusterserviceversion.yaml', textFile(JSON.stringify(csv))],
    ['metadata/annotations.yaml', textFile(JSON.stringify({ annotations: labels }))],
  ]);
  const name = `${path}/tiny-bundle:v0.1.0`;
  const authfile = join(cluster.pushSecret, 'config.json');
  await pushImage(
    `${cluster.registry}/${name}`,
    [await gzipLayer(tree)],
    { Labels: labels },
    authfile,
  );
  return `${cluster.tlsRegistry}/${name}`;
}

const bundle = 'operators.operatorframework.io.bundle';
const labels = {
  [`${bundle}.mediatype.v1`]: 'registry+v1',
  [`${bundle}.manifests.v1`]: 'manifests/',
  [`${bundle}.metadata.v1`]: 'metadata/',
  [`${bundle}.package.v1`]: 'tiny',
  [`${bundle}.channels.v1`]: 'alpha',
  [`${bundle}.channel.default.v1`]: 'alpha',
};

function clusterServiceVersion(image: string): object {
  const container = {
    name: 'operator',
    image,
    command: ['sleep', 'infinity'],
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  };
  const pod = {
    metadata: { labels: { app: 'tiny' } },
    spec: {
      terminationGracePeriodSeconds: 0,
      securityContext: { runAsNonRoot: true },
      containers: [container],
    },
  };
  const spec = { replicas: 1, selector: { matchLabels: { app: 'tiny' } }, template: pod };
  return {
    apiVersion: 'operators.coreos.com/v1alpha1',
    kind: 'ClusterServiceVersion',
    metadata: { name: 'tiny.v0.1.0' },
    spec: {
      displayName: 'Tiny',
      version: '0.1.0',
      maturity: 'alpha',
      installModes: [
        { type: 'OwnNamespace', supported: true },
        { type: 'SingleNamespace', supported: true },
        { type: 'MultiNamespace', supported: false },
        { type: 'AllNamespaces', supported: true },
      ],
      install: { strategy: 'deployment', spec: { deployments: [{ name: 'tiny', spec }] } },
    },
  };
}
