import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { run } from '../../src/adapters/processes/command.ts';
import { type Kubectl, succeeds } from '../cluster/kubectl.ts';
import type { Json } from './service.ts';

/** Kinds of others on a cluster that had them not; they go with this. */
export type Definitions = AsyncDisposable;

/** The kinds of others that overlays use, and where their own project defines them. */
const places = {
  'services.serving.knative.dev': ['knative.dev/serving', 'config/core/300-resources/service.yaml'],
  'routes.route.openshift.io': [
    ...([
      'github.com/openshift/api',
      'route/v1/zz_generated.crd-manifests/routes.crd.yaml',
    ] as const),
  ],
  'securitycontextconstraints.security.openshift.io': [
    'github.com/openshift/api',
    'security/v1/zz_generated.crd-manifests/0000_03_config-operator_01_securitycontextconstraints.crd.yaml',
  ],
  'servicemonitors.monitoring.coreos.com': [
    'github.com/prometheus-operator/prometheus-operator',
    'example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml',
  ],
} as const;

/** Defines those that a cluster has not: what it has is its own, and stays. */
export async function define(
  kubectl: Kubectl,
  names: readonly (keyof typeof places)[],
  edit: (definition: Json) => Json = (definition) => definition,
): Promise<Definitions> {
  const made: string[] = [];
  for (const name of names) {
    if (await succeeds(kubectl, ['get', 'crd', name])) continue;
    made.push(name);
    const [module, file] = places[name];
    const definition = parse(readFileSync(join(await folderOf(module), file), 'utf8'));
    await kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify(edit(definition)));
    await kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd', name]);
  }
  return {
    async [Symbol.asyncDispose]() {
      for (const name of made) await kubectl(['delete', 'crd', name]);
    },
  };
}

async function folderOf(module: string): Promise<string> {
  const { stdout } = await run('go', ['mod', 'download', '-json', module], {
    cwd: join(import.meta.dirname, '../e2e/schemas'),
    timeout: 120_000,
  });
  return (JSON.parse(stdout.toString()) as { readonly Dir: string }).Dir;
}
