import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { failureOf } from '../../../test/support/failure-of.ts';
import {
  type AskedRequest,
  type HostileAnswer,
  startHostileRegistry,
} from '../../../test/support/hostile-registry.ts';
import { Configuration } from '../../config/config.ts';
import type { Digest } from '../../plan/names.ts';
import { digestOf, mediaTypes } from '../../steps/oci-layout.ts';
import { createPersist } from '../persist.ts';
import { isOwn } from './follow-redirects.ts';
import { createRegistry } from './registry.ts';

vi.setConfig({ testTimeout: 30_000 });

const persist = createPersist({ total: 400, first: 5, longest: 50 });
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hostile-registry-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A registry that answers so, and what our code and a credential for it make of it. */
async function meet(answer: (request: AskedRequest) => HostileAnswer | undefined) {
  const server = await startHostileRegistry(answer);
  onTestFinished(() => server[Symbol.asyncDispose]());
  const authfile = join(folder, 'auth.json');
  const auth = Buffer.from('robot:planted-password').toString('base64');
  await writeFile(authfile, JSON.stringify({ auths: { [server.host]: { auth } } }));
  const remotes = { demo: { push: server.host } };
  const configuration = Configuration.parse({ remotes, authfile });
  const registry = await createRegistry(configuration, { folder, persist, idle: 2000 });
  return { server, registry, repository: `${server.host}/t/a`, secret: `Basic ${auth}` };
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const descriptor = (bytes: Buffer, mediaType: string) => ({
  ...{ mediaType, digest: digestOf(bytes), size: bytes.length },
});
const config = json({
  architecture: 'amd64',
  os: 'linux',
  rootfs: { type: 'layers', diff_ids: [] },
});
const layer = gzipSync(Buffer.alloc(10_240));
const image = {
  schemaVersion: 2,
  mediaType: mediaTypes.manifest,
  config: descriptor(config, mediaTypes.config),
  layers: [descriptor(layer, mediaTypes.gzipLayer)],
};
const nothing = `sha256:${'0'.repeat(64)}` as Digest;
const isManifest = ({ path }: AskedRequest) => path.includes('/manifests/');

describe('a manifest', () => {
  test.for<[string, string, HostileAnswer, RegExp]>([
    ['of another digest', `@${nothing}`, { body: json(image) }, /has digest sha256:/],
    ['that is not JSON', ':1', { body: '<html>Welcome</html>' }, /not JSON/],
    ['that is null', ':1', { body: 'null' }, /no manifest/],
    ['that is a list', ':1', { body: '[]' }, /no manifest/],
    ['whose media type is no text', ':1', { body: '{"mediaType":7}' }, /no manifest/],
    [
      'whose media type would be a header of its own',
      ':1',
      { body: json({ ...image, mediaType: 'a/b\r\nx-evil: 1' }) },
      /no manifest/,
    ],
    [
      'that is an image and a list at once',
      ':1',
      { body: json({ ...image, manifests: [] }) },
      /at once/,
    ],
    ['that is huge', ':1', { body: Buffer.alloc(5 * 2 ** 20, ' ') }, /longer than 4194304 bytes/],
    ['without end', ':1', { body: ' ', endless: true }, /longer than 4194304 bytes/],
    [
      'that unpacks to more than it may',
      ':1',
      {
        headers: { 'content-encoding': 'gzip' },
        body: gzipSync(Buffer.alloc(64 * 2 ** 20, ' ')),
      },
      /longer than 4194304 bytes/,
    ],
  ])('%s is refused', async ([, name, answer, detail]) => {
    const { registry, repository } = await meet(() => answer);
    expect(await failureOf(registry.manifest(`${repository}${name}`))).toMatchObject({
      reason: 'registry-unusable',
      detail: expect.stringMatching(detail),
      hint: expect.stringContaining('remove what it holds there'),
    });
  });

  test('says itself what it is: another Content-Type changes nothing', async () => {
    const { registry, repository } = await meet(() => ({
      headers: { 'content-type': 'text/html' },
      body: json(image),
    }));
    const found = await registry.manifest(`${repository}:1`);
    expect(found).toMatchObject({ mediaType: mediaTypes.manifest, digest: digestOf(json(image)) });
  });

  test('of a thousand levels is read, or refused', async () => {
    const deep = `{"a":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`;
    const { registry, repository } = await meet(() => ({ body: deep }));
    expect((await registry.manifest(`${repository}:1`))?.digest).toBe(digestOf(Buffer.from(deep)));
  });

  test('that changes between two looks is not mixed: what is pulled is what was seen', async () => {
    let looks = 0;
    const other = json({ ...image, annotations: { evil: 'yes' } });
    const { registry, repository, server } = await meet((request) => {
      if (request.path.endsWith('/manifests/1')) return { body: looks++ ? other : json(image) };
      if (isManifest(request))
        return { body: json(image), headers: { 'content-type': mediaTypes.manifest } };
      return { body: request.path.includes(digestOf(config)) ? config : layer };
    });
    const digest = await registry.pullLayout(`${repository}:1`, join(folder, 'pulled'));
    expect(digest).toBe(digestOf(json(image)));
    expect(server.asked.filter(({ path }) => path.endsWith('/manifests/1'))).toHaveLength(1);
  });
});

describe('a list of images', () => {
  const list = (bytes: Buffer, architecture = 'amd64') =>
    json({
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests: [
        { ...descriptor(bytes, mediaTypes.manifest), platform: { os: 'linux', architecture } },
      ],
    });

  test.for<[string, Buffer, Buffer, RegExp]>([
    ['in a list', list(list(json(image))), list(json(image)), /no manifest of one image/],
    ['without this platform', list(json(image), 'vax'), json(image), /without an image for linux/],
    ['whose image is another', list(json(image)), json({ ...image, a: 1 }), /has digest sha256:/],
  ])('%s is not pulled', async ([, outer, inner, detail]) => {
    const { registry, repository } = await meet(({ path }) => ({
      body: path.endsWith('/manifests/1') ? outer : inner,
    }));
    const failure = await failureOf(registry.pullLayout(`${repository}:1`, join(folder, 'pulled')));
    expect(failure).toMatchObject({ reason: 'registry-unusable' });
    expect(failure.detail).toMatch(detail);
  });
});

describe('a blob', () => {
  const blob = Buffer.from('the blob that was asked for');
  test.for<[string, HostileAnswer, string, RegExp]>([
    ['of other bytes', { body: 'something else' }, 'registry-unusable', /has digest sha256:/],
    ['that is too short', { body: blob.subarray(1) }, 'registry-unusable', /has digest sha256:/],
    ['that is too long', { body: `${blob} and more` }, 'registry-unusable', /longer than 27 bytes/],
    ['without end', { body: 'x', endless: true }, 'registry-unusable', /longer than 27 bytes/],
    [
      'with less than its Content-Length',
      { body: blob, headers: { 'content-length': '1000', connection: 'close' } },
      'registry-unavailable',
      /./,
    ],
    [
      'that unpacks to more than it may',
      { headers: { 'content-encoding': 'gzip' }, body: gzipSync(Buffer.alloc(64 * 2 ** 20)) },
      'registry-unusable',
      /longer than 27 bytes/,
    ],
  ])('%s is refused', async ([, answer, reason, detail]) => {
    const { registry, repository } = await meet(() => answer);
    const failure = await failureOf(registry.blob(repository, digestOf(blob), blob.length));
    expect(failure).toMatchObject({ reason, detail: expect.stringMatching(detail) });
  });

  test('without end does not fill the disk when an image is pulled', async () => {
    const { registry, repository, server } = await meet((request) => {
      if (isManifest(request))
        return { body: json(image), headers: { 'content-type': mediaTypes.manifest } };
      if (request.path.includes(digestOf(config))) return { body: config };
      return { body: randomBytes(65_536), endless: true };
    });
    const pulled = join(folder, 'pulled');
    const failure = await failureOf(registry.pullLayout(`${repository}:1`, pulled));
    expect(failure.reason).toBe('registry-unusable');
    expect(failure.detail).toContain('file too large');
    expect(server.sent).toBeLessThan(100 * 2 ** 20);
    expect(await readdir(join(pulled, 'blobs/sha256')).catch(() => [])).not.toContain(
      digestOf(layer).slice(7),
    );
  });
});

describe('a redirect', () => {
  const blob = Buffer.from('from the storage');
  const to = (location: string): HostileAnswer => ({ status: 307, headers: { location } });

  test('of a blob to a storage elsewhere is followed, without our credential', async () => {
    const storage = await startHostileRegistry(() => ({ body: blob }));
    onTestFinished(() => storage[Symbol.asyncDispose]());
    const { registry, repository, server, secret } = await meet(({ headers }) =>
      headers.authorization === undefined
        ? { status: 401, headers: { 'www-authenticate': 'Basic realm="r"' } }
        : to(`http://${storage.host}/blob?signature=1`),
    );
    expect(await registry.blob(repository, digestOf(blob), 100)).toEqual(blob);
    expect(server.asked.at(-1)?.headers.authorization).toBe(secret);
    expect(storage.asked.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test('to a server that asks for a credential gets none', async () => {
    const thief = await startHostileRegistry(() => ({
      status: 401,
      headers: { 'www-authenticate': 'Basic realm="r"' },
    }));
    onTestFinished(() => thief[Symbol.asyncDispose]());
    const { registry, repository } = await meet(() => to(`http://${thief.host}/blob`));
    const failure = await failureOf(registry.blob(repository, nothing, 100));
    expect(failure.reason).toBe('registry-denied');
    expect(thief.asked.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test.for<[string, string, RegExp]>([
    ['without end', '/v2/t/a/blobs/again', /redirects without end/],
    ['to a file', 'file:///etc/passwd', /redirects to file:/],
    ['to another protocol', 'gopher://127.0.0.1/', /redirects to gopher:/],
    ['to what is no address', 'http://:0:0/', /no address/],
  ])('%s is not followed', async ([, location, detail]) => {
    const { registry, repository, server } = await meet(() => to(location));
    for (const work of [
      () => registry.blob(repository, nothing, 100),
      () => registry.manifest(`${repository}:1`),
    ])
      expect(await failureOf(work())).toMatchObject({
        reason: 'registry-unusable',
        detail: expect.stringMatching(detail),
      });
    expect(server.asked.length).toBeLessThanOrEqual(12);
  });

  test.for<[string, boolean]>([
    ['http://127.0.0.1:8080/', true],
    ['http://127.1/', true],
    ['http://0x7f000001/', true],
    ['http://0.0.0.0/', true],
    ['http://localhost:1/', true],
    ['http://a.localhost/', true],
    ['http://[::1]/', true],
    ['http://[::]/', true],
    ['http://[::ffff:127.0.0.1]/', true],
    ['http://[fe80::1]/', true],
    ['http://169.254.169.254/latest/meta-data', true],
    ['https://registry.example.com/', false],
    ['https://10.0.0.1/', false],
    ['https://[2001:db8::1]/', false],
  ])('knows whether %s is a service of this machine', ([url, own]) => {
    expect(isOwn(new URL(url))).toBe(own);
  });
});

describe('a token', () => {
  test.for<[string, HostileAnswer, RegExp]>([
    ['without end', { body: ' ', endless: true }, /longer than 262144 bytes/],
    ['that is not JSON', { body: 'token' }, /not JSON/],
    ['that is null', { body: 'null' }, /no token/],
    ['that is no text', { body: '{"token":{}}' }, /no token/],
    ['that would be a header of its own', { body: '{"token":"a\\r\\nx: 1"}' }, /no token/],
  ])('%s is refused', async ([, answer, detail]) => {
    const { registry, repository } = await meet(({ path, headers }) => {
      if (path.startsWith('/token')) return answer;
      const challenge = `Bearer realm="http://${headers.host}/token",service="s"`;
      return { status: 401, headers: { 'www-authenticate': challenge } };
    });
    for (const work of [
      () => registry.blob(repository, nothing, 100),
      () => registry.manifest(`${repository}:1`),
    ])
      expect(await failureOf(work())).toMatchObject({
        reason: 'registry-unusable',
        detail: expect.stringMatching(detail),
      });
  });
});

test('what a registry says of an error is told cleaned and short, without what it was given', async () => {
  const { registry, repository, secret } = await meet(({ headers }) => {
    const given = headers.authorization;
    if (given === undefined)
      return { status: 401, headers: { 'www-authenticate': 'Basic realm="r"' } };
    const message = `\u001b]0;evil\u0007\u001b[2J\u202eno, ${given}\n${'x'.repeat(1_000_000)}`;
    return {
      status: 400,
      headers: { 'content-type': 'application/json' },
      body: json({ errors: [{ code: 'UNSUPPORTED', message }] }),
    };
  });
  const works = [
    () => registry.manifest(`${repository}:1`),
    () => registry.blob(repository, nothing, 100),
    () => registry.copy(`${repository}:1`, `${repository}2:1`),
  ];
  for (const work of works) {
    const { detail, reason } = await failureOf(work());
    expect(reason).toMatch(/^registry-/);
    expect(detail.length).toBeLessThan(800);
    expect(detail).not.toContain(secret.slice('Basic '.length));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about.
    expect(detail).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202a-\u202e]/);
  }
});
