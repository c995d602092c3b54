import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  createNamespace,
  type TestCluster,
  type TestNamespace,
  testCluster,
} from '../support/cluster.ts';

/** The image of deploy/Containerfile, which is the service's and that of the steps. */
let cluster: TestCluster;
let space: TestNamespace;
const folder = mkdtempSync(join(tmpdir(), 'tributary-image-'));

beforeAll(async () => {
  cluster = testCluster();
  space = await createNamespace(cluster, 'image');
  const plain = cluster.insecure ? ['--src-tls-verify=false'] : [];
  const from = `docker://${cluster.image}`;
  execFileSync('skopeo', ['copy', '--quiet', '--insecure-policy', ...plain, from, `dir:${folder}`]);
});

afterAll(async () => {
  await space[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

test('it is smaller than 400 MB, unpacked', () => {
  const layers = readdirSync(folder).map((name) => readFileSync(join(folder, name)));
  const unpacked = layers
    .filter((bytes) => bytes.subarray(0, 2).toString('hex') === '1f8b')
    .reduce((sum, bytes) => sum + gunzipSync(bytes).length, 0);
  expect(unpacked).toBeGreaterThan(100e6);
  expect(unpacked).toBeLessThan(400e6);
});

test('it runs as a user that is a number and not root', () => {
  const { config } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
  const { config: settings } = JSON.parse(
    readFileSync(join(folder, config.digest.replace('sha256:', '')), 'utf8'),
  );
  expect(settings).toMatchObject({ User: '65532:65532', Entrypoint: ['tributary'] });
});

test('its programs start in a pod whose root cannot be written', async () => {
  const logs = await podLogs({
    help: { args: ['--help'] },
    serve: { args: ['serve', '--help'] },
    programs: { command: ['sh', '-c', allPrograms] },
  });
  expect(logs['help']).toMatch(/Usage: tributary/);
  expect(logs['serve']).toMatch(/Usage: tributary serve/);
  expect(logs['programs']).toMatch(/^65532\nroot:1:65535\nroot:1:65535\n/);
});

test.for([1000, 65532, 0])('user %s finds compiled what it runs', async (user) => {
  const look = 'NODE_DEBUG_NATIVE=COMPILE_CACHE tributary --version 2>&1';
  const { look: said } = await podLogs({ look: { command: ['sh', '-c', look] } }, user);
  expect(said?.match(/file:\/\/\/tributary\/src\S* was accepted/g)?.length).toBeGreaterThan(20);
  expect(said).not.toMatch(/rejected/);
});

test('it holds what runs, and no more', async () => {
  const look = 'find /tributary/src -name "*.test.ts"; ls /tributary/node_modules; ls /tributary';
  const logs = await podLogs({ look: { command: ['sh', '-c', look] } });
  const files = logs['look']?.trim().split('\n') ?? [];
  expect(files).toEqual(expect.arrayContaining(['fastify', 'zod', 'src', 'package.json']));
  expect(files.filter((name) => /test\.ts$|^(vitest|typescript|node|test)$/.test(name))).toEqual(
    [],
  );
});

/** Every program that the sources start, but for the container runtime, which pods do without. */
const allPrograms = `set -e
id -u; cat /etc/subuid /etc/subgid
for program in git buildah skopeo unshare setpriv prlimit flock nsenter newuidmap newgidmap ip tar node kustomize; do
  command -v $program
done
git --version && skopeo --version && kustomize version`;

/** Runs a pod with these containers, as the service would run, and gives what each said; fails where one fails. */
async function podLogs(
  containers: Readonly<Record<string, object>>,
  runAsUser = 65532,
): Promise<Readonly<Record<string, string>>> {
  const name = `run-${Math.random().toString(36).slice(2, 8)}`;
  const securityContext = {
    readOnlyRootFilesystem: true,
    runAsNonRoot: runAsUser !== 0,
    ...(runAsUser === 65532 ? {} : { runAsUser }),
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
  };
  const spec = {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    containers: Object.entries(containers).map(([container, start]) => ({
      ...{ name: container, image: cluster.image, securityContext, ...start },
    })),
  };
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec };
  await space.kubectl(['apply', '--filename=-'], JSON.stringify(pod));
  const ended = ['--for=jsonpath={.status.phase}=Succeeded', '--timeout=60s'];
  const outcome = await space.kubectl(['wait', `pod/${name}`, ...ended]).catch(String);
  const logs = Object.keys(containers).map(
    async (container) => [container, await space.kubectl(['logs', name, '-c', container])] as const,
  );
  const said = Object.fromEntries(await Promise.all(logs));
  expect(outcome, JSON.stringify(said)).toMatch(/condition met/);
  return said;
}
