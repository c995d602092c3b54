import { afterAll, beforeAll, expect, test } from 'vitest';
import { tagLabel } from '../../src/engine/tekton/run-names.ts';
import { createNamespace, type TestNamespace, testCluster } from '../support/cluster.ts';
import { applyObjects } from '../support/install-rights.ts';
import { renderOverlay } from '../support/render-overlay.ts';

let space: TestNamespace;
const addresses: Record<string, string> = {};

beforeAll(async () => {
  const cluster = testCluster();
  space = await createNamespace(cluster, 'policies');
  const policies = renderOverlay('kubernetes', space.name).filter(
    ({ kind }) => kind === 'NetworkPolicy',
  );
  expect(policies).toHaveLength(2);
  const service = {
    'app.kubernetes.io/name': 'tributary',
    'app.kubernetes.io/component': 'service',
  };
  await applyObjects(space.kubectl, [
    ...policies,
    pod('build', cluster.image, { [tagLabel]: 'x-000000' }),
    pod('service', cluster.image, service),
    pod('caller', cluster.image, {}),
  ]);
  await space.kubectl(['wait', '--for=condition=Ready', 'pod', '--all', '--timeout=120s']);
  for (const name of ['build', 'service'])
    addresses[name] = await space.kubectl([
      ...['get', 'pod', name, '--output=jsonpath={.status.podIP}'],
    ]);
});
afterAll(() => space[Symbol.asyncDispose]());

/** Answers on port 8080, where the service does. */
function pod(name: string, image: string, labels: Readonly<Record<string, string>>): object {
  const server = "require('node:http').createServer((_, answer) => answer.end()).listen(8080)";
  const container = { name, image, command: ['node', '--eval', server] };
  return {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, labels } },
    spec: { terminationGracePeriodSeconds: 0, containers: [container] },
  };
}

/** Whether a pod gets an answer from another. */
async function reaches(from: string, to: string): Promise<boolean> {
  const url = `http://${addresses[to]}:8080`;
  const ask = `fetch('${url}', {signal: AbortSignal.timeout(3000)}).then(() => console.log('yes'), () => console.log('no'))`;
  return (await space.kubectl(['exec', from, '--', 'node', '--eval', ask])).trim() === 'yes';
}

test('callers reach the service, nobody reaches a build, and a build reaches nobody of the namespace', async ({
  skip,
}) => {
  expect(await reaches('caller', 'service')).toBe(true);
  if (await reaches('caller', 'build')) {
    const why = 'The network of this cluster enforces no NetworkPolicies: they are not tried.';
    process.stdout.write(`${why}\n`);
    skip(why);
  }
  expect(await reaches('service', 'build')).toBe(false);
  expect(await reaches('build', 'service')).toBe(false);
});
