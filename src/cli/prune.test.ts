import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { FakeApiServer } from '../../test/support/fake-api-server.ts';
import { FakeIo } from '../../test/support/fake-io.ts';
import { tagLabel } from '../engine/tekton/run-names.ts';
import { prune } from './prune.ts';

const path = '/apis/tekton.dev/v1/namespaces/builds/pipelineruns';
let server: FakeApiServer;
let folder: string;
let io: FakeIo;

beforeEach(async () => {
  server = await FakeApiServer.start();
  folder = await mkdtemp(join(tmpdir(), 'tributary-prune-'));
  io = new FakeIo();
  const kubeconfig = join(folder, 'kubeconfig');
  io.environment = { KUBECONFIG: kubeconfig };
  await writeFile(
    kubeconfig,
    stringify({
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u', namespace: 'builds' } }],
      clusters: [{ name: 'c', cluster: { server: server.connection.server } }],
      users: [{ name: 'u', user: { token: 'secret' } }],
    }),
  );
});
afterEach(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

function put(name: string, ended: string | undefined, labels = { [tagLabel]: name }): void {
  server.put(path, {
    metadata: { name, labels, uid: `uid of ${name}`, creationTimestamp: '2026-11-01T00:00:00Z' },
    spec: {},
    status: ended === undefined ? {} : { completionTime: ended },
  });
}

async function run(configuration: object): Promise<string> {
  const config = join(folder, 'config.yaml');
  await writeFile(config, stringify({ remotes: { a: { push: 'r/a' } }, ...configuration }));
  const globals = { config, json: false, color: false };
  const openService = () => Promise.reject(new Error('it needs no service'));
  expect(await prune({ io, globals, openService })).toBe(0);
  return io.written.out;
}

test('runs of builds that ended long ago are removed, and nothing else', async () => {
  put('old', '2026-11-08T10:00:00Z');
  put('new', '2026-11-10T10:00:00Z');
  put('running', undefined);
  put('of-another', '2026-01-01T00:00:00Z', {} as { [tagLabel]: string });
  const out = await run({ engine: 'tekton', tekton: { image: 'x' } });
  expect(out).toBe(
    'removed  old\n1 runs of builds that ended more than 14 days ago are removed.\n',
  );
  expect(server.requests.filter((request) => request.startsWith('DELETE'))).toEqual([
    `DELETE ${path}/old`,
  ]);
});

test('without a cluster there is nothing to remove', async () => {
  expect(await run({})).toMatch(/^0 runs/);
  expect(server.requests).toEqual([]);
});
