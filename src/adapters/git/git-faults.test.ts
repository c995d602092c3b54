import { randomBytes } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type GitServer, startGitServer } from '../../../examples/git-server.ts';
import { failureOf } from '../../../test/support/failure-of.ts';
import {
  type Fault,
  type FaultyProxy,
  first,
  scripts,
  startFaultyProxy,
} from '../../../test/support/faulty-proxy.ts';
import { createRepository, temporaryFolder } from '../../../test/support/git-repository.ts';
import type { Retry } from '../../builds/event.ts';
import type { CommitSha } from '../../plan/names.ts';
import { createPersist } from '../persist.ts';
import { openShelf } from '../storage/shelf.ts';
import { createGit } from './git-command.ts';
import { createMirrors } from './git-mirrors.ts';
import { createGitServers } from './git-servers.ts';

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: GitServer;
let proxy: FaultyProxy;
let head: CommitSha;

beforeAll(async () => {
  folder = await temporaryFolder();
  const repositories = join(folder.path, 'repositories');
  await mkdir(repositories);
  const work = await createRepository(join(folder.path, 'work'));
  head = await work.commit('start', { large: randomBytes(100_000).toString('base64') });
  for (const name of ['one', 'two', 'three'])
    await work.git('clone', '--quiet', '--bare', '.', join(repositories, `a/${name}.git`));
  for (const name of ['one', 'two', 'three'])
    for (const setting of ['uploadpack.allowFilter', 'uploadpack.allowAnySHA1InWant'])
      await work.git('-C', join(repositories, `a/${name}.git`), 'config', setting, 'true');
  server = await startGitServer(repositories);
  proxy = await startFaultyProxy(new URL(server.url).host);
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await server.close();
  await folder[Symbol.asyncDispose]();
});
afterEach(() => proxy.script());

interface Options {
  readonly signal?: AbortSignal;
  readonly total?: number;
  readonly credentials?: Record<string, { username: string; password: string }>;
  /** Called with each retry. */
  readonly heard?: () => void;
}

/** Git through the proxy, with new mirrors, and what is told of retries, in order. */
function connect({ total = 15_000, credentials = {}, heard, ...signal }: Options = {}) {
  const told: (Retry | string)[] = [];
  const listener = {
    retrying: (retry: Retry) => {
      told.push(retry);
      heard?.();
    },
    recovered: (what: string) => void told.push(`${what} answers again`),
  };
  const persist = createPersist({ total, first: 5, longest: 50 }, { ...signal, listener });
  const git = createGit({ urls: {}, credentials }, { persist, idle: 700, ...signal });
  const place = join(folder.path, randomBytes(4).toString('hex'));
  const mirrors = createMirrors(git, openShelf(join(place, 'mirrors')), join(place, 'wholes'));
  return { servers: createGitServers(git), mirrors, told, place };
}
type Connection = ReturnType<typeof connect>;

/** Everything that is asked of a git server, each on a repository of its own. */
const operations = {
  one: async ({ servers }: Connection, url: string) =>
    (await servers.advertisement(url)).refs.get('refs/heads/main'),
  two: ({ servers }: Connection, url: string) => servers.commit(url, head),
  /** Commits, then trees, then files. */
  three: async ({ mirrors }: Connection, url: string) => {
    const mirror = await mirrors.mirror(url);
    await mirror.fetch(url, [head]);
    return (await mirror.files(head)).files.get('large')?.content.length;
  },
} as const;
type OperationName = keyof typeof operations;
const every = Object.keys(operations) as OperationName[];

async function runAll(heard: (name: string) => void = () => {}) {
  const results = every.map(async (name) => {
    const connection = connect({ heard: () => heard(name) });
    const made = await operations[name](connection, `http://${proxy.host}/a/${name}`);
    return [name, { made, told: connection.told }] as const;
  });
  return Object.fromEntries(await Promise.all(results));
}

const expected = () => ({ one: head, two: head, three: 133_336 });

async function expectToGoOn(method: string, fault: Fault, times: number) {
  proxy.script(
    scripts(...every.map((name) => first(times, new RegExp(`^${method} /a/${name}`), fault))),
  );
  const results = await runAll();
  for (const name of every) {
    expect(results[name]?.made, name).toEqual(expected()[name]);
    expect(results[name]?.told[0], name).toEqual({
      what: `git server ${proxy.host}`,
      why: expect.stringMatching(/./),
      retry: 1,
      seconds: expect.any(Number),
    });
    expect(results[name]?.told.at(-1)).toBe(`git server ${proxy.host} answers again`);
  }
}

describe('trouble that passes', () => {
  test.for([
    ['a dropped connection', { kind: 'drop' }],
    ['silence', { kind: 'hang' }],
    ['500', { kind: 'status', status: 500 }],
    ['503', { kind: 'status', status: 503 }],
    ['429', { kind: 'status', status: 429, headers: { 'retry-after': '1' } }],
  ] satisfies [string, Fault][])(
    'everything goes on after %s, and tells of it',
    async ([, fault]) => {
      await expectToGoOn('GET', fault, 1);
      await expectToGoOn('POST', fault, 2);
    },
  );

  test.for([
    ['is cut', { kind: 'cut', after: 50 }],
    ['stops in its middle', { kind: 'stall', after: 50 }],
    ['is damaged', { kind: 'corrupt', at: 3 }],
  ] satisfies [string, Fault][])('what is read is read again where it %s', ([, fault]) =>
    expectToGoOn('(GET|POST)', fault, 2),
  );

  test.for([
    ['is cut', { kind: 'cut', after: 60_000 }],
    ['stops', { kind: 'stall', after: 60_000 }],
    ['is damaged', { kind: 'corrupt', at: 60_000 }],
  ] satisfies [string, Fault][])(
    'files are all there after a pack that %s in its middle',
    async ([, fault]) => {
      const connection = connect();
      const url = `http://${proxy.host}/a/three`;
      const mirror = await connection.mirrors.mirror(url);
      await mirror.fetch(url, [head]);
      await mirror.treeOf(head);
      proxy.script(first(3, /^POST/, fault));
      expect((await mirror.files(head)).files.get('large')?.content.length).toBe(133_336);
      expect(connection.told.length).toBeGreaterThan(1);
      const left = await readdir(join(connection.place, 'mirrors'), { recursive: true });
      expect(left.filter((file) => file.includes('tmp_'))).toEqual([]);
    },
  );

  test('a server that is down for a moment is waited for', async () => {
    await proxy.down();
    const heard = new Set<string>();
    const running = runAll((name) => heard.add(name));
    await vi.waitUntil(() => heard.size === every.length, { timeout: 10_000 });
    await proxy.up();
    const results = await running;
    for (const name of every) {
      expect(results[name]?.made).toEqual(expected()[name]);
      expect(results[name]?.told[0]).toMatchObject({
        why: expect.stringMatching(/connect|refused/i),
      });
    }
  });

  test('a slow server is no trouble', async () => {
    proxy.script(() => ({ kind: 'delay', milliseconds: 300 }));
    const connection = connect();
    expect(await operations.one(connection, `http://${proxy.host}/a/one`)).toBe(head);
    expect(connection.told).toEqual([]);
  });
});

describe('trouble that stays', () => {
  test('a server that stays away is given up on when there is no more time', async () => {
    const connection = connect({ total: 400 });
    proxy.script(() => ({ kind: 'status', status: 503 }));
    const failure = await failureOf(operations.one(connection, `http://${proxy.host}/a/one`));
    expect(failure).toMatchObject({
      reason: 'git-unavailable',
      detail: expect.stringContaining('503'),
    });
    expect(connection.told.length).toBeGreaterThan(0);
  });

  test('a credential that expired after it was good is told as such, at once', async () => {
    const credentials = { [proxy.host]: { username: 'me', password: 'hunter2' } };
    const connection = connect({ credentials });
    const url = `http://${proxy.host}/a/three`;
    const mirror = await connection.mirrors.mirror(url);
    await mirror.fetch(url, [head]);
    proxy.script(() => ({ kind: 'status', status: 401 }));
    const failure = await failureOf(mirror.files(head));
    expect(failure).toMatchObject({
      reason: 'git-denied',
      hint: expect.stringContaining(proxy.host),
    });
    expect(connection.told).toEqual([]);
  });

  test('a repository that is not there is no trouble of the server', async () => {
    const connection = connect();
    const failure = await failureOf(operations.one(connection, `http://${proxy.host}/a/none`));
    expect(failure).toMatchObject({ reason: 'ref-not-found' });
    expect(connection.told).toEqual([]);
  });

  test('whoever cancels does not wait for a server that is silent', async () => {
    const stop = new AbortController();
    const connection = connect({ signal: stop.signal });
    proxy.script(() => ({ kind: 'hang' }));
    const asked = proxy.seen.length;
    const running = operations
      .three(connection, `http://${proxy.host}/a/three`)
      .catch((error: unknown) => error);
    await vi.waitUntil(() => proxy.seen.length > asked, { timeout: 10_000 });
    stop.abort(new Error('cancelled'));
    expect(await running).toMatchObject({ message: 'cancelled' });
  });
});
