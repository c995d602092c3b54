import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../src/adapters/processes/command.ts';
import { type Kubectl, succeeds } from './kubectl.ts';
import { addresses } from './places.ts';
import { systemImage } from './system-images.ts';

/** What is installed on the cluster: each applies its manifests. What was applied before is applied again without harm. */

/** CoreDNS. */
export async function applyDns(kubectl: Kubectl): Promise<void> {
  const values = { coredns: systemImage('coredns'), dnsAddress: addresses.dns };
  await apply(kubectl, ownManifest('dns', values));
}

/** Tekton Pipelines, by the manifests of its Go module. */
export async function applyTekton(kubectl: Kubectl): Promise<void> {
  const config = join(await moduleFolder('tekton', 'github.com/tektoncd/pipeline'), 'config');
  // Left out: resolvers and cloud events, which nobody here asks for, and a scaler that needs metrics of the node.
  const left = ['resolvers', 'events.yaml', 'webhook-hpa.yaml'];
  const files = yamlFiles(config).filter((file) => !left.some((name) => file.startsWith(name)));
  const documents = files.map((file) => withTektonImage(readFileSync(join(config, file), 'utf8')));
  await apply(kubectl, documents.join('\n---\n'));
}

/** OLM: its resources by the definitions of its Go module, its operators by ours. */
export async function applyOlm(kubectl: Kubectl): Promise<void> {
  const module = 'github.com/operator-framework/operator-lifecycle-manager';
  const folder = join(await moduleFolder('olm', module), 'deploy/chart/crds');
  const definitions = yamlFiles(folder).map((file) => readFileSync(join(folder, file), 'utf8'));
  await apply(kubectl, definitions.join('\n---\n'));
  // Of a kind that was just defined the API server knows a moment later.
  while (!(await succeeds(kubectl, ['get', 'olmconfigs,operatorgroups']))) await sleep(200);
  await apply(kubectl, ownManifest('olm', { olm: systemImage('olm'), opm: systemImage('opm') }));
}

/** What has to be available before the cluster is. */
export const deployments = [
  'kube-system/coredns',
  'tekton-pipelines/tekton-pipelines-controller',
  'tekton-pipelines/tekton-pipelines-webhook',
  'olm/olm-operator',
  'olm/catalog-operator',
] as const;

/** One image holds all of Tekton's programs, so that each container has to say which it is. */
function withTektonImage(text: string): string {
  const image = systemImage('tekton');
  return (
    text
      .replace(
        /^( *)image: ko:\/\/\S*\/cmd\/(\w+)$/gm,
        (_, indent, name) => `${indent}image: ${image}\n${indent}command: [/ko-app/${name}]`,
      )
      .replace(/ko:\/\/[^"\s]+/g, image)
      // Nothing injects sidecars here, so that no pod need wait for them: a second or two less for each.
      .replace(/(running-in-environment-with-injected-sidecars: )"true"/, '$1"false"')
      .replace(/("-shell-image", )"[^"]+"/, `$1"${systemImage('busybox')}"`)
  );
}

async function apply(kubectl: Kubectl, documents: string): Promise<void> {
  await kubectl(['apply', '--server-side', '--force-conflicts', '--filename', '-'], documents);
}

function ownManifest(name: string, values: Readonly<Record<string, string>>): string {
  const text = readFileSync(join(import.meta.dirname, 'manifests', `${name}.yaml`), 'utf8');
  return text.replace(/\$\{(\w+)\}/g, (_, key: string) => values[key] ?? '');
}

function yamlFiles(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.yaml')).sort();
}

/** Where Go keeps a module that a folder of scripts/go-tools requires; fetched where it is not there. */
async function moduleFolder(tools: string, module: string): Promise<string> {
  const cwd = join(import.meta.dirname, '../../scripts/go-tools', tools);
  const inherit = Object.keys(process.env);
  const args = ['mod', 'download', '-json', module];
  const { exitCode, stdout, stderr } = await run('go', args, { cwd, inherit });
  if (exitCode !== 0) throw new Error(`go ${args.join(' ')}: ${stdout} ${stderr}`);
  return (JSON.parse(stdout.toString()) as { Dir: string }).Dir;
}
