import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { startRegistry, type TestRegistry } from '../../../test/support/registry.ts';
import { FailureError } from '../../builds/failure.ts';
import { Configuration } from '../../config/config.ts';
import type { Digest } from '../../plan/names.ts';
import { blobOf, mediaTypes, writeLayout } from '../../steps/oci-layout.ts';
import { createPersist } from '../persist.ts';
import { createRegistry } from './registry.ts';

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const persist = createPersist({ total: 500, first: 10, longest: 100 });
let server: TestRegistry;
let folder = '';
beforeAll(async () => {
  server = await startRegistry();
});
afterAll(() => server.close());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'registry-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function connect(more: object = {}) {
  const configuration = Configuration.parse({ remotes: { demo: { push: server.host } }, ...more });
  return createRegistry(configuration, { folder, persist });
}

/** An artifact layout with a config of a media type of our own. */
async function layout(name: string, content: string): Promise<string> {
  const path = join(folder, name);
  await writeLayout(path, {
    config: blobOf('application/vnd.example.v1+json', Buffer.from(JSON.stringify({ content }))),
    layers: [blobOf('application/vnd.example.layer', Buffer.from(content))],
  });
  return path;
}

test('what was pushed is read back byte for byte, also with media types of our own', async () => {
  const registry = await connect();
  const digest = await registry.pushLayout(await layout('a', 'hello'), `${server.host}/t/a:1`);
  const found = await registry.manifest(`${server.host}/t/a:1`);
  expect(found?.digest).toBe(digest);
  expect(found?.mediaType).toBe('application/vnd.oci.image.manifest.v1+json');
  expect(await registry.manifest(`${server.host}/t/a@${digest}`)).toEqual(found);
  expect(await registry.pullLayout(`${server.host}/t/a:1`, join(folder, 'new'))).toBe(digest);
  const blob = await readFile(join(folder, 'new/blobs/sha256', digest.slice(7)));
  expect(blob).toEqual(found?.bytes);
});

test.for([['t/none:1'], ['t/a:none'], [`t/a@sha256:${'0'.repeat(64)}`]])(
  'there is nothing at %s, and that is no failure',
  async ([name]) => {
    const registry = await connect();
    await registry.pushLayout(await layout('a', 'hello'), `${server.host}/t/a:1`);
    expect(await registry.manifest(`${server.host}/${name}`)).toBeUndefined();
  },
);

test('a copy within a repository and to another one keeps the digest', async () => {
  const registry = await connect();
  const digest = await registry.pushLayout(await layout('a', 'copied'), `${server.host}/t/a:1`);
  for (const to of ['t/a:2', 't/b:1']) {
    expect(await registry.copy(`${server.host}/t/a:1`, `${server.host}/${to}`)).toBe(digest);
    expect((await registry.manifest(`${server.host}/${to}`))?.digest).toBe(digest);
  }
});

test('a layout may lack blobs that the repository has', async () => {
  const registry = await connect();
  const path = await layout('a', 'partly');
  const digest = await registry.pushLayout(path, `${server.host}/t/part:1`);
  const layer = createHash('sha256').update('partly').digest('hex');
  await rm(join(path, 'blobs/sha256', layer));
  expect(await registry.pushLayout(path, `${server.host}/t/part:2`)).toBe(digest);
});

test('a blob is read up to a limit', async () => {
  const registry = await connect();
  await registry.pushLayout(await layout('a', 'blob!'), `${server.host}/t/a:1`);
  const digest = `sha256:${createHash('sha256').update('blob!').digest('hex')}` as Digest;
  expect((await registry.blob(`${server.host}/t/a`, digest, 5)).toString()).toBe('blob!');
  await expect(registry.blob(`${server.host}/t/a`, digest, 4)).rejects.toThrow(
    'longer than 4 bytes',
  );
  const missing = `sha256:${'0'.repeat(64)}` as Digest;
  await expect(registry.blob(`${server.host}/t/a`, missing, 5)).rejects.toThrow('404');
});

test('mirrors are asked instead, for manifests and blobs, and never written to by another name', async () => {
  const direct = await connect();
  const digest = await direct.pushLayout(
    await layout('a', 'mirror'),
    `${server.host}/mirror/x/a:1`,
  );
  const registry = await connect({ mirrors: { 'registry.invalid': `${server.host}/mirror` } });
  expect((await registry.manifest('registry.invalid/x/a:1'))?.digest).toBe(digest);
  const layer = `sha256:${createHash('sha256').update('mirror').digest('hex')}` as Digest;
  expect(await registry.blob('registry.invalid/x/a', layer, 100)).toEqual(Buffer.from('mirror'));
  expect(await registry.pullLayout('registry.invalid/x/a:1', join(folder, 'm'))).toBe(digest);
});

test('a Docker image becomes an OCI layout', async () => {
  const registry = await connect();
  const path = join(folder, 'docker');
  const config = Buffer.from(
    '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}',
  );
  await writeLayout(path, { config: blobOf(mediaTypes.config, config), layers: [] });
  await registry.pushLayout(path, `${server.host}/t/docker:1`);
  await mkdir(join(folder, 'v2'));
  const { run } = await import('../processes/command.ts');
  await run(
    'skopeo',
    [
      'copy',
      '--format',
      'v2s2',
      '--src-tls-verify=false',
      '--dest-tls-verify=false',
      `docker://${server.host}/t/docker:1`,
      `docker://${server.host}/t/docker:2`,
    ],
    { cwd: folder },
  );
  const stored = await registry.manifest(`${server.host}/t/docker:2`);
  expect(stored?.mediaType).toBe('application/vnd.docker.distribution.manifest.v2+json');
  const digest = await registry.pullLayout(`${server.host}/t/docker:2`, join(folder, 'oci'));
  expect(digest).not.toBe(stored?.digest);
  const index = JSON.parse(await readFile(join(folder, 'oci/index.json'), 'utf8'));
  expect(index.manifests).toMatchObject([{ digest }]);
});

test('a registry that does not answer is a failure that names it, after retries', async () => {
  const registry = await connect();
  const closed = await freePort();
  for (const work of [
    () => registry.manifest(`127.0.0.1:${closed}/a:1`),
    () => registry.blob(`127.0.0.1:${closed}/a`, `sha256:${'0'.repeat(64)}` as Digest, 1),
    () => registry.pullable(`127.0.0.1:${closed}/a:1`),
  ]) {
    const error = await work().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FailureError);
    expect((error as FailureError).failures[0]).toMatchObject({
      reason: 'registry-unavailable',
      hint: expect.stringContaining(`127.0.0.1:${closed}`),
    });
  }
});

test('trouble that passes is waited for', async () => {
  let asked = 0;
  await using flaky = await serve((request) => {
    if (request !== '/v2/') asked++;
    return asked % 3 !== 0 && request !== '/v2/'
      ? { status: 503, body: 'busy' }
      : { status: 200, body: '{"schemaVersion":2}' };
  });
  const registry = await connect();
  expect((await registry.manifest(`${flaky.host}/a:1`))?.bytes.toString()).toBe(
    '{"schemaVersion":2}',
  );
});

test('tells whether an image can be pulled without and with the secret', async () => {
  const auth = Buffer.from('me:secret').toString('base64');
  await using locked = await serve((path, authorization) =>
    authorization === `Basic ${auth}`
      ? { status: 200, body: path.includes('/blobs/') ? 'blob' : '{"schemaVersion":2}' }
      : { status: 401, body: '{"errors":[{"code":"UNAUTHORIZED","message":"no"}]}' },
  );
  const secret = join(folder, 'secret.json');
  await writeFile(secret, JSON.stringify({ auths: { [locked.host]: { auth } } }));
  const remote = { push: server.host, 'pull-secret': secret };
  const registry = await connect({ remotes: { demo: remote }, authfile: secret });
  const reference = `${locked.host}/a:1`;
  expect(await registry.pullable(reference)).toEqual({ anonymously: false, withSecret: true });
  expect(await (await connect()).pullable(reference)).toEqual({
    anonymously: false,
    withSecret: null,
  });
  const digest = `sha256:${createHash('sha256').update('blob').digest('hex')}` as Digest;
  expect((await registry.blob(`${locked.host}/a`, digest, 10)).toString()).toBe('blob');
  await expect((await connect()).blob(`${locked.host}/a`, digest, 10)).rejects.toThrow('401');
});

test('a blob whose bytes are not those of its digest is refused', async () => {
  await using liar = await serve(() => ({ status: 200, body: 'something else' }));
  const registry = await connect();
  const digest = `sha256:${'0'.repeat(64)}` as Digest;
  await expect(registry.blob(`${liar.host}/a`, digest, 100)).rejects.toThrow('has digest sha256:');
});

test('text that is no reference never becomes an argument', async () => {
  const registry = await connect();
  await expect(registry.manifest('--version')).rejects.toThrow('not an image reference');
  await expect(registry.manifest(`${server.host}/a b`)).rejects.toThrow('not an image reference');
});

type Answer = (path: string, authorization?: string) => { status: number; body: string };

async function serve(answer: Answer) {
  const http: Server = createServer((request, response) => {
    const { status, body } = answer(request.url ?? '', request.headers.authorization);
    const headers = {
      'content-type': 'application/json',
      'www-authenticate': 'Basic realm="test"',
    };
    response.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(http.address() as AddressInfo).port}`;
  return { host, [Symbol.asyncDispose]: async () => void http.close() };
}

async function freePort(): Promise<number> {
  await using server = await serve(() => ({ status: 200, body: '' }));
  return Number(server.host.split(':')[1]);
}
