import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createNamespace, type TestNamespace, testCluster } from '../support/cluster.ts';
import { type Definitions, define } from '../support/definitions.ts';
import { applyObjects } from '../support/install-rights.ts';
import { renderOverlay } from '../support/render-overlay.ts';

let space: TestNamespace;

let definitions: Definitions;

beforeAll(async () => {
  space = await createNamespace(testCluster(), 'schemas');
  definitions = await define(space.kubectl, [
    ...(['services.serving.knative.dev', 'servicemonitors.monitoring.coreos.com'] as const),
  ]);
});
afterAll(async () => {
  await definitions?.[Symbol.asyncDispose]();
  await space?.[Symbol.asyncDispose]();
});

/** Only asks whether it would be taken. */
const apply = (items: readonly object[]) => applyObjects(space.kubectl, items, '--dry-run=server');

test('the overlay for Knative is what Knative says a Service is', async () => {
  expect(await apply(renderOverlay('knative', space.name))).toContain(
    'service.serving.knative.dev/tributary serverside-applied',
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
