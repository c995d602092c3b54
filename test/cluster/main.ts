import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { argv, env } from 'node:process';
import { builderImage, pushBuilderImage } from './builder-image.ts';
import { makeCertificates } from './certificates.ts';
import { startContainerd } from './containerd.ts';
import { type Kubectl, kubectlFor } from './kubectl.ts';
import { startApiServer, startKubernetes } from './kubernetes.ts';
import { isWhole, type Node, runningNode, startNode, stopNode } from './node.ts';
import { applyDns, applyOlm, applyTekton, deployments } from './parts.ts';
import { placesOf, registries } from './places.ts';
import { startRegistries, tidyStorage } from './registries.ts';
import { pushSystemImages } from './system-images.ts';

/** `make cluster` and `make cluster-down`: a real Kubernetes with Tekton and OLM on this machine (docs/guides/cluster.md). */
const folder = resolve(env['TRIBUTARY_CLUSTER'] ?? join(import.meta.dirname, '../../.cluster'));

if (argv[2] === 'down') await down();
else await up();

async function up(): Promise<void> {
  const began = Date.now();
  const node = await phase('node', findOrStartNode);
  const { kubeconfig, pki, pushSecret } = placesOf(node.folder);
  makeCertificates(pki);
  const kubectl = kubectlFor(kubeconfig);
  const authfile = join(pushSecret, 'config.json');
  const images = phase('registries', () => startRegistries(node)).then(() =>
    phase('images of the system', () => pushSystemImages(authfile)),
  );
  const ready = Promise.all([
    images,
    phase('containerd', () => startContainerd(node)),
    phase('etcd, API server', () => startApiServer(node)),
  ]);
  const parts = ready.then(() =>
    Promise.all([
      phase('kubelet, controllers, scheduler, proxy', () => startKubernetes(node)),
      once(node, 'CoreDNS', () => applyDns(kubectl)),
      once(node, 'Tekton', () => applyTekton(kubectl)),
      once(node, 'OLM', () => applyOlm(kubectl)),
    ]),
  );
  await Promise.all([
    // Takes a minute where there is nothing yet: meanwhile the rest comes up.
    images.then(() => phase(`image ${builderImage()}`, () => pushBuilderImage(authfile))),
    parts.then(() => phase('everything available', () => available(kubectl))),
  ]);
  say(`\nThe cluster runs (${seconds(began)}), until \`make cluster-down\`.`);
  say(`  KUBECONFIG=${kubeconfig}`);
  say(
    `  registries ${registries.plain} (plain), ${registries.tls} (TLS, authority ${join(pki, 'ca.crt')})`,
  );
  say(`  writing to them: DOCKER_CONFIG=${pushSecret}`);
}

async function down(): Promise<void> {
  const node = runningNode();
  await stopNode();
  say(node ? `ended the cluster of ${node.folder}` : 'no cluster runs');
}

/** One cluster runs on a machine: that of another clone will do. */
async function findOrStartNode(): Promise<Node> {
  const node = runningNode();
  if (node === undefined || !isWhole(node)) {
    mkdirSync(folder, { recursive: true });
    await stopNode();
    tidyStorage(folder);
    return startNode(placesOf(folder));
  }
  if (node.folder !== folder) say(`The cluster of ${node.folder} runs already, and is used.`);
  return node;
}

/** Does what this cluster has not seen done. */
function once(node: Node, name: string, work: () => Promise<unknown>): Promise<void> {
  const mark = join(placesOf(node.folder).run, `${name}.done`);
  if (existsSync(mark)) return Promise.resolve();
  return phase(name, async () => {
    await work();
    writeFileSync(mark, '');
  });
}

async function available(kubectl: Kubectl): Promise<void> {
  const wait = async (deployment: string) => {
    const [namespace = '', name] = deployment.split('/');
    const condition = ['--for=condition=Available', '--timeout=120s'];
    await kubectl(['--namespace', namespace, 'wait', `deployment/${name}`, ...condition]);
  };
  await Promise.all(deployments.map(wait));
}

async function phase<Value>(title: string, work: () => Promise<Value>): Promise<Value> {
  const began = Date.now();
  const value = await work();
  say(`  ${seconds(began).padStart(7)}  ${title}`);
  return value;
}

function seconds(since: number): string {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
