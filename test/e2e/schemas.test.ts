import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../src/adapters/processes/command.ts';
import { succeeds } from '../cluster/kubectl.ts';
import { createNamespace, type TestNamespace, testCluster } from '../support/cluster.ts';
import { applyObjects } from '../support/install-rights.ts';
import { renderOverlay } from '../support/render-overlay.ts';

let space: TestNamespace;

/** The kinds of others that overlays use, and where their own project defines them. */
const definitions = {
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

/** Those that the cluster had not: what it has is its own, and stays. */
const made: string[] = [];

beforeAll(async () => {
  space = await createNamespace(testCluster(), 'schemas');
  const { kubectl } = space;
  for (const [name, [module = '', file = '']] of Object.entries(definitions)) {
    if (await succeeds(kubectl, ['get', 'crd', name])) continue;
    made.push(name);
    await kubectl(['apply', '--server-side', '-f', join(await folderOf(module), file)]);
    await kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd', name]);
  }
});
afterAll(async () => {
  for (const name of made) await space.kubectl(['delete', 'crd', name]);
  await space[Symbol.asyncDispose]();
});

async function folderOf(module: string): Promise<string> {
  const { stdout } = await run('go', ['mod', 'download', '-json', module], {
    cwd: join(import.meta.dirname, 'schemas'),
    timeout: 120_000,
  });
  return (JSON.parse(stdout.toString()) as { readonly Dir: string }).Dir;
}

/** Only asks whether it would be taken. */
const apply = (items: readonly object[]) => applyObjects(space.kubectl, items, '--dry-run=server');

test('the overlay for Knative is what Knative says a Service is', async () => {
  expect(await apply(renderOverlay('knative', space.name))).toContain(
    'service.serving.knative.dev/tributary serverside-applied',
  );
});

test('the overlay for OpenShift is what OpenShift says of Routes and SecurityContextConstraints', async () => {
  const objects = renderOverlay('openshift', space.name);
  expect(await apply(objects)).toMatch(
    /route\.openshift\.io\/tributary serverside-applied[\s\S]*securitycontextconstraints\.security/,
  );
});

test('the component for Prometheus is what its operator says a ServiceMonitor is', async () => {
  const file = join(
    import.meta.dirname,
    '../../deploy/components/service-monitor/service-monitor.yaml',
  );
  const said = await space.kubectl(['apply', '--server-side', '--dry-run=server', '-f', file]);
  expect(said).toContain('servicemonitor.monitoring.coreos.com/tributary serverside-applied');
});

test('a field that is none of theirs is refused', async () => {
  const service = renderOverlay('knative', space.name).find(
    ({ apiVersion }) => apiVersion === 'serving.knative.dev/v1',
  );
  service.spec.template.spec.containers[0].envFromNowhere = [];
  await expect(apply([service])).rejects.toThrow('envFromNowhere');
});
