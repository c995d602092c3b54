import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { withFurtherProduct } from '../../examples/demo/further-components.ts';
import { startGitServer } from '../../examples/git-server.ts';
import { type DemoSize, makeRepositories } from '../../examples/make-repositories.ts';
import type { TestCluster, TestNamespace } from './cluster.ts';
import { commandsOf, runCommands } from './guide.ts';
import { digestIn } from './images.ts';

/** The demo's outside world where the pods of a cluster reach it: repositories on a git server, base images in the cluster's registry. */
export interface ClusterDemo extends AsyncDisposable {
  /** Stands for `https://github.com/`. */
  readonly git: string;
  readonly repositories: string;
  readonly product: string;
}

const examples = join(import.meta.dirname, '../../examples');

/** Starts it. The registry keeps the base images for later runs. `change` may put something else in the place of what is served. */
export async function startClusterDemo(
  cluster: TestCluster,
  size: DemoSize = 'small',
  change: (made: Pick<ClusterDemo, 'repositories' | 'product'>) => void = () => {},
): Promise<ClusterDemo> {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-cluster-demo-'));
  const repositories = join(folder, 'repositories');
  makeRepositories(repositories, size, besideTekton);
  const product = join(folder, 'product.yaml');
  const text = readFileSync(join(examples, 'demo/product.yaml'), 'utf8');
  writeFileSync(product, productOf(size === 'real' ? withFurtherProduct(text) : text));
  change({ repositories, product });
  const server = await startGitServer(repositories, 0, cluster.host);
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

/** Copies an image within the cluster's registry. */
export function copyImage({ pushSecret }: TestCluster, from: string, to: string): void {
  execFileSync(
    'skopeo',
    [
      ...['copy', '--quiet', '--insecure-policy', '--src-tls-verify=false'],
      ...['--dest-tls-verify=false', `docker://${from}`, `docker://${to}`],
    ],
    { env: { ...process.env, REGISTRY_AUTH_FILE: join(pushSecret, 'config.json') } },
  );
}

/** What the guide says for Kubernetes, to its last line, which is a first build. */
export const guide = commandsOf('guides/install-on-a-cluster.md', 'Kubernetes');

/** What it says of a change, an upgrade and a backup, to whoever has done the above. */
export const runningIt = commandsOf('guides/install-on-a-cluster.md', 'Running it');

/** What a person has who reads the guide, beyond what is the same in all tests. */
interface Reader {
  /** Fields of config.yaml. */
  readonly configuration?: Fields;
  /** Patches of what is applied. */
  readonly patches?: readonly object[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Installs the service by the commands of the guide; gives the path of its remote. */
export async function installService(
  cluster: TestCluster,
  space: TestNamespace,
  demo: ClusterDemo,
  configuration: Fields = {},
): Promise<string> {
  const last = guide.findIndex((command) => command.includes('rollout status'));
  await followGuide(guide.slice(0, last + 1), cluster, space, demo, { configuration });
  return remoteOf(cluster, space);
}

/** `REGISTRY/PATH` that the service of a namespace pushes to. */
export function remoteOf({ registry }: TestCluster, { name }: TestNamespace): string {
  return `${registry}/${name}`;
}

/**
 * Does what a person does who reads the guide: the commands as they stand there, with another namespace and another port, in a folder with
 * `deploy/`, a product.yaml and an auth.json, with an editor that knows this cluster. Gives what they printed.
 */
export async function followGuide(
  commands: readonly string[],
  cluster: TestCluster,
  space: TestNamespace,
  demo: ClusterDemo,
  reader: Reader = {},
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-guide-'));
  const checkout = join(examples, '..');
  try {
    cpSync(join(checkout, 'deploy'), join(folder, 'deploy'), { recursive: true });
    for (const name of ['src', 'node_modules', 'package.json'])
      symlinkSync(join(checkout, name), join(folder, name));
    cpSync(demo.product, join(folder, 'product.yaml'));
    cpSync(join(cluster.pushSecret, 'config.json'), join(folder, 'auth.json'));
    writeEditor(folder, cluster, space, demo, reader);
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const placed = commands.map((command) =>
      command
        .replaceAll(/(-n |=)tributary(?=[ :)]|$)/g, `$1${space.name}`)
        .replace('8080:8080', `${port}:8080`)
        .replace('127.0.0.1:8080', `127.0.0.1:${port}`),
    );
    return await runCommands(placed, folder, {
      PATH: `${join(checkout, '.tools/bin')}:${process.env['PATH']}`,
      ...{ HOME: folder, EDITOR: join(folder, 'editor'), KUBECONFIG: cluster.kubeconfig },
      ...reader.env,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Writes the program that edits what the guide says is to be edited, and the namespace with it. */
function writeEditor(
  folder: string,
  cluster: TestCluster,
  space: TestNamespace,
  demo: ClusterDemo,
  { configuration: { tekton = {}, ...configuration } = {}, patches = [] }: Reader,
): void {
  const edited = join(folder, 'edited');
  cpSync(join(folder, 'deploy/overlays/kubernetes'), edited, { recursive: true });
  change(join(edited, 'config.yaml'), (given) => ({
    ...given,
    url: `http://tributary.${space.name}.svc:8080`,
    urls: { 'https://github.com/': demo.git },
    mirrors: { 'registry.example.com': cluster.registry },
    registries: { [hostOf(cluster.registry)]: { insecure: cluster.insecure } },
    remotes: {
      demo: {
        ...{ push: remoteOf(cluster, space), default: true, insecure: cluster.insecure },
        authfile: '/etc/tributary-push/auth.json',
      },
    },
    tekton: {
      ...(given['tekton'] as object),
      image: cluster.image,
      tasks: lean,
      ...(tekton as object),
    },
    ...configuration,
  }));
  change(join(edited, 'kustomization.yaml'), (given) => {
    const [, newName, newTag] = /^(.*):([^:]*)$/.exec(cluster.image) ?? [];
    const images = [{ name: 'tributary', newName, newTag }];
    const network = reaching(demo.git, `https://${cluster.registry}`);
    return { ...given, namespace: space.name, images, patches: [network, ...patches] };
  });
  change(join(edited, 'namespace.yaml'), (given) => ({
    ...given,
    metadata: { ...(given['metadata'] as object), name: space.name },
  }));
  const editor = [
    '#!/bin/sh -e',
    '[ -f "$1" ] && [ -f "$2" ]',
    `cp ${edited}/* "$(dirname "$1")"`,
    // In the overlay for OpenShift the namespace stands in each file.
    `sed -Ei 's/namespace: tributary(}?)$/namespace: ${space.name}\\1/' "$(dirname "$1")"/../openshift/*.yaml`,
  ].join('\n');
  writeFileSync(join(folder, 'editor'), editor, { mode: 0o755 });
}

/** Lets pods of builds reach servers whose ports are not those of HTTP, where the network is one that holds them off. */
function reaching(...urls: readonly string[]): object {
  const ports = urls
    .map((url) => Number(new URL(url).port))
    .filter((port) => port !== 0)
    .map((port) => ({ protocol: 'TCP', port }));
  return {
    target: { kind: 'NetworkPolicy', name: 'tributary-build' },
    patch: stringify([{ op: 'add', path: '/spec/egress/-', value: { ports } }]),
  };
}

/** What builds ask for in tests. Nodes that do not count their disk have none to ask for; and two processors are shared by all pods of a build. */
const small = { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '6Gi' } };
export const lean = { payload: small, manifests: small, images: small };

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
