import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { startGitServer } from '../../examples/git-server.ts';
import { makeRepositories } from '../../examples/make-repositories.ts';
import { addresses } from '../cluster/places.ts';
import type { TestCluster, TestNamespace } from './cluster.ts';
import { digestIn } from './images.ts';

/** The demo's outside world where the pods of a cluster reach it: repositories on a git server, base images in the cluster's registry. */
export interface ClusterDemo extends AsyncDisposable {
  /** Stands for `https://github.com/`. */
  readonly git: string;
  readonly repositories: string;
  readonly product: string;
}

const examples = join(import.meta.dirname, '../../examples');

/** Starts it. The registry keeps the base images for later runs. */
export async function startClusterDemo(cluster: TestCluster): Promise<ClusterDemo> {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-cluster-demo-'));
  const repositories = join(folder, 'repositories');
  makeRepositories(repositories, 'small', besideTekton);
  const product = join(folder, 'product.yaml');
  writeFileSync(product, productOf(readFileSync(join(examples, 'demo/product.yaml'), 'utf8')));
  const server = await startGitServer(repositories, 0, addresses.host);
  execFileSync(join(examples, 'base-images.sh'), [cluster.registry], {
    env: { ...process.env, REGISTRY_AUTH_FILE: join(cluster.pushSecret, 'config.json') },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  copyImage(cluster, cluster.opm, `${cluster.registry}/base/opm:1`);
  return {
    git: server.url,
    ...{ repositories, product },
    async [Symbol.asyncDispose]() {
      await server.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/**
 * The demo installs what is called as the Tekton that runs the builds of this very cluster. Here its API groups, namespaces and roles
 * have other names, in its repositories as in its product.yaml.
 */
function besideTekton(text: string): string {
  return text
    .replaceAll('tekton.dev', 'tekton.example.com')
    .replace(/tekton-(pipelines|triggers)/g, 'demo-$1')
    .replace(/TEKTON_(PIPELINES|TRIGGERS)/g, 'DEMO_$1');
}

/** The demo's product with an index that serves by itself. */
function productOf(text: string): string {
  const product = parse(besideTekton(text)) as { index: object };
  const index = { ...product.index, serve: 'opm', base: 'registry.example.com/base/opm:1' };
  return stringify({ ...product, index });
}

function copyImage({ pushSecret }: TestCluster, from: string, to: string): void {
  execFileSync(
    'skopeo',
    [
      ...['copy', '--quiet', '--insecure-policy', '--src-tls-verify=false'],
      ...['--dest-tls-verify=false', `docker://${from}`, `docker://${to}`],
    ],
    { env: { ...process.env, REGISTRY_AUTH_FILE: join(pushSecret, 'config.json') } },
  );
}

/** Installs the service as docs/guides/install-on-a-cluster.md says; gives the path of its remote. */
export async function installService(
  cluster: TestCluster,
  space: TestNamespace,
  demo: ClusterDemo,
  configuration: object = {},
): Promise<string> {
  const remote = `${cluster.registry}/${space.name}`;
  const folder = mkdtempSync(join(tmpdir(), 'tributary-deploy-'));
  try {
    cpSync(join(examples, '../deploy'), folder, { recursive: true });
    const overlay = join(folder, 'overlays/kubernetes');
    cpSync(demo.product, join(overlay, 'product.yaml'));
    change(join(overlay, 'config.yaml'), (given) => ({
      ...given,
      url: `http://tributary.${space.name}.svc:8080`,
      urls: { 'https://github.com/': demo.git },
      mirrors: { 'registry.example.com': cluster.registry },
      registries: { [hostOf(cluster.registry)]: { insecure: cluster.insecure } },
      remotes: {
        demo: {
          ...{ push: remote, default: true, insecure: cluster.insecure },
          authfile: '/etc/tributary-push/auth.json',
        },
      },
      tekton: { ...(given['tekton'] as object), image: cluster.image, tasks: lean },
      ...configuration,
    }));
    change(join(overlay, 'kustomization.yaml'), (given) => {
      const [, newName, newTag] = /^(.*):([^:]*)$/.exec(cluster.image) ?? [];
      return { ...given, namespace: space.name, images: [{ name: 'tributary', newName, newTag }] };
    });
    change(join(overlay, 'namespace.yaml'), (given) => ({
      ...given,
      metadata: { ...(given['metadata'] as object), name: space.name },
    }));
    await space.kubectl([
      ...['create', 'secret', 'generic', 'tributary-push'],
      `--from-file=auth.json=${join(cluster.pushSecret, 'config.json')}`,
    ]);
    await cluster.kubectl(['apply', '-k', overlay]);
    await space.kubectl(['rollout', 'status', 'deployment/tributary', '--timeout=120s']);
  } finally {
    rmSync(folder, { recursive: true });
  }
  return remote;
}

/** Nodes that do not count their disk have none to ask for; and two processors are shared by all pods of a build. */
const small = { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '6Gi' } };
const lean = { payload: small, manifests: small, images: small };

type Fields = Readonly<Record<string, unknown>>;

function change(file: string, edit: (given: Fields) => object): void {
  writeFileSync(file, stringify(edit(parse(readFileSync(file, 'utf8')) as Fields)));
}

function hostOf(registry: string): string {
  return registry.split('/')[0] ?? '';
}

/** Whether the registry has all of a build's images under its tag. */
export function lacksUnderTag(
  remote: string,
  tag: string,
  images: readonly { readonly name: string; readonly digest: string | null }[],
): string[] {
  return images
    .filter(({ name, digest }) => digestIn(`${remote}/${name}:${tag}`) !== digest)
    .map(({ name }) => name);
}
