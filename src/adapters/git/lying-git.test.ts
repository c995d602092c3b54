import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { constants, deflateRawSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { failureOf } from '../../../test/support/failure-of.ts';
import type { TestRepository } from '../../../test/support/git-repository.ts';
import { type HostileGit, startHostileGit } from '../../../test/support/hostile-git.ts';
import { readText } from '../../plan/file-tree.ts';
import type { CommitSha } from '../../plan/names.ts';
import { createPersist } from '../persist.ts';
import { run } from '../processes/command.ts';
import { openShelf } from '../storage/shelf.ts';
import { createGit } from './git-command.ts';
import { createMirrors } from './git-mirrors.ts';
import { createGitServers } from './git-servers.ts';

let server: HostileGit;
let upstream: TestRepository & { publish(): Promise<void> };
let before: CommitSha;
let head: CommitSha;

beforeAll(async () => {
  server = await startHostileGit();
  upstream = await server.repository('r');
  before = await upstream.commit('one', { f: 'before\n' });
  head = await upstream.commit('two', { f: 'head\n' });
  await upstream.publish();
});
afterAll(() => server[Symbol.asyncDispose]());
afterEach(() => server.lie());

const persist = createPersist({ total: 300, first: 5, longest: 50 });
const git = createGit({ urls: {}, credentials: {} }, { persist });

function newMirror() {
  const shelf = openShelf(`${server.folder}/${randomUUID()}`);
  return createMirrors(git, shelf, `${server.folder}/wholes`).mirror(server.url('r'));
}

test('a server that gives another commit is caught, and the mirror is as good as before', async () => {
  const mirror = await newMirror();
  server.lie((request) =>
    request.startsWith('POST') ? { kind: 'want', of: head, instead: before } : undefined,
  );
  const failure = await failureOf(mirror.fetch(server.url('r'), [head]));
  expect(failure).toMatchObject({ detail: expect.stringContaining(server.url('r')) });
  server.lie();
  await mirror.fetch(server.url('r'), [head]);
  expect(readText((await mirror.files(head)).files, 'f')).toBe('head\n');
});

test('a server that gives other files is caught, and the mirror is as good as before', async () => {
  const mirror = await newMirror();
  await mirror.fetch(server.url('r'), [head]);
  const [right, wrong] = [
    await upstream.git('rev-parse', `${head}:f`),
    await upstream.git('rev-parse', `${before}:f`),
  ];
  server.lie((request) =>
    request.startsWith('POST') ? { kind: 'want', of: right, instead: wrong } : undefined,
  );
  expect((await failureOf(mirror.files(head))).reason).toBe('git-unavailable');
  server.lie();
  expect(readText((await mirror.files(head)).files, 'f')).toBe('head\n');
});

test('a mirror that lost a tree gets it again', async () => {
  const deep = await server.repository('deep');
  const commit = await deep.commit('deep', { 'a/b/f': 'deep\n' });
  await deep.publish();
  const url = server.url('deep');
  const folder = `${server.folder}/${randomUUID()}`;
  const mirror = await createMirrors(git, openShelf(folder), `${server.folder}/wholes`).mirror(url);
  await mirror.fetch(url, [commit]);
  await mirror.treeOf(commit);
  const name = (await readdir(folder)).find((file) => /^[^.].*\.git$/.test(file));
  await loseTree(`${folder}/${name}`, await deep.git('rev-parse', `${commit}:a/b`));
  expect(readText((await mirror.files(commit)).files, 'a/b/f')).toBe('deep\n');
});

/** Makes single files of all objects in a repository, and removes one. */
async function loseTree(repository: string, tree: string): Promise<void> {
  const packs = `${repository}/objects/pack`;
  const kept = await Promise.all(
    (await readdir(packs))
      .filter((file) => file.endsWith('.pack'))
      .map((file) => readFile(`${packs}/${file}`)),
  );
  await rm(packs, { recursive: true });
  await mkdir(packs);
  for (const input of kept)
    await run('git', ['unpack-objects', '-q'], {
      cwd: repository,
      input,
      env: { GIT_DIR: repository },
    });
  await rm(`${repository}/objects/${tree.slice(0, 2)}/${tree.slice(2)}`);
}

test('what a server says instead of git’s protocol is a failure of it', async () => {
  const mirror = await newMirror();
  for (const body of ['', '0000', '<html>', 'ffff', '000epackfile\n0009\x01PACK'])
    for (const type of ['text/html', 'application/x-git-upload-pack-result']) {
      server.lie((request) =>
        request.startsWith('POST') ? { kind: 'say', type, body: Buffer.from(body) } : undefined,
      );
      const failure = await failureOf(mirror.fetch(server.url('r'), [head]));
      expect(failure.reason).toBe('git-unavailable');
    }
  server.lie();
  await mirror.fetch(server.url('r'), [head]);
  expect(readText((await mirror.files(head)).files, 'f')).toBe('head\n');
});

test('a fetch that brings more than it may is ended, and names the limit', async () => {
  const large = await server.repository('large');
  const commit = await large.commit('large', { f: randomBytes(300_000).toString('base64') });
  await large.publish();
  const url = server.url('large');
  const folder = `${server.folder}/${randomUUID()}`;
  const open = (fetchBytes: number) =>
    createMirrors(
      createGit({ urls: {}, credentials: {}, fetchBytes }, { persist }),
      openShelf(folder),
      `${server.folder}/wholes`,
    ).mirror(url);
  const bounded = await open(100_000);
  await bounded.fetch(url, [commit]);
  expect(await failureOf(bounded.files(commit))).toMatchObject({
    reason: 'unusable-files',
    hint: expect.stringContaining('fetch-mib'),
  });
  const wide = await open(1_000_000);
  await wide.fetch(url, [commit]);
  expect((await wide.files(commit)).files.size).toBe(1);
  const left = await readdir(folder, { recursive: true });
  expect(left.filter((file) => file.includes('tmp_'))).toEqual([]);
});

test('a pack that is small and inflates to a gigabyte is refused before it takes the memory', async () => {
  const bounded = createGit({ urls: {}, credentials: {}, memoryBytes: 128 * 2 ** 20 }, { persist });
  const shelf = openShelf(`${server.folder}/${randomUUID()}`);
  const url = server.url('r');
  const mirror = await createMirrors(bounded, shelf, `${server.folder}/wholes`).mirror(url);
  const bomb = packOf(2 ** 30);
  expect(bomb.length).toBeLessThan(2 * 2 ** 20);
  const type = 'application/x-git-upload-pack-result';
  server.lie((request) =>
    request.startsWith('POST') ? { kind: 'say', type, body: sent(bomb) } : undefined,
  );
  expect(await failureOf(mirror.fetch(url, [head]))).toMatchObject({
    reason: 'unusable-files',
    detail: expect.stringContaining('memory'),
    hint: expect.stringContaining('git-memory-mib'),
  });
  server.lie();
  await mirror.fetch(url, [head]);
  expect(readText((await mirror.files(head)).files, 'f')).toBe('head\n');
});

/** A pack of one commit: so many NULs. */
function packOf(size: number): Buffer {
  const head = Buffer.from('PACK\0\0\0\x02\0\0\0\x01', 'latin1');
  const length = [0x90 | (size & 15)];
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128))
    length.push((rest & 127) | (rest >= 128 ? 128 : 0));
  // Every piece is whole by itself, so that it can be repeated.
  const piece = deflateRawSync(Buffer.alloc(2 ** 24), { finishFlush: constants.Z_FULL_FLUSH });
  const pieces = Array.from({ length: size / 2 ** 24 }, () => piece);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE((size % 65521) * 2 ** 16 + 1);
  const object = [Buffer.from([0x78, 0x9c]), ...pieces, deflateRawSync(''), checksum];
  const pack = Buffer.concat([head, Buffer.from(length), ...object]);
  return Buffer.concat([pack, createHash('sha1').update(pack).digest()]);
}

/** What a server answers to `fetch`: a pack in lines of git's protocol. */
function sent(pack: Buffer): Buffer {
  const row = (text: Buffer) =>
    Buffer.concat([Buffer.from((text.length + 4).toString(16).padStart(4, '0')), text]);
  const pieces = Array.from({ length: Math.ceil(pack.length / 60_000) }, (_, index) =>
    row(Buffer.concat([Buffer.from([1]), pack.subarray(index * 60_000, (index + 1) * 60_000)])),
  );
  return Buffer.concat([row(Buffer.from('packfile\n')), ...pieces, Buffer.from('0000')]);
}

test('the commit that was looked at first is built, or told to be gone', async () => {
  const moving = await server.repository('moving');
  const first = await moving.commit('first', { f: 'first\n' });
  await moving.publish();
  const servers = createGitServers(git);
  const url = server.url('moving');
  const main = async () => (await servers.advertisement(url)).refs.get('refs/heads/main');
  expect(await main()).toBe(first);
  await moving.git('checkout', '--quiet', '--orphan', 'forced');
  const second = await moving.commit('second', { f: 'second\n' });
  await moving.git('branch', '--force', 'main', second);
  await moving.publish();
  expect(await main()).toBe(second);
  const mirror = await newMirror();
  await mirror.fetch(url, [first]);
  expect(readText((await mirror.files(first)).files, 'f')).toBe('first\n');

  const gone = 'e'.repeat(40) as CommitSha;
  expect(await failureOf(mirror.fetch(url, [gone]))).toMatchObject({
    reason: 'ref-not-found',
    hint: expect.stringContaining('force push'),
  });
});

test.for([
  'ext::sh -c touch% /tmp/owned',
  'file:///etc',
  '/etc',
  'git://127.0.0.1:1/a/b',
  'ssh://-oProxyCommand=touch /tmp/owned/a/b',
  '--upload-pack=touch /tmp/owned',
  'fd::17/x',
])('%s is nothing that git is let speak to', async (url) => {
  const servers = createGitServers(git);
  const failure = await failureOf(servers.advertisement(url));
  expect(['host-not-allowed', 'git-unavailable', 'ref-not-found']).toContain(failure.reason);
  await failureOf((await newMirror()).fetch(url, [head]));
});
