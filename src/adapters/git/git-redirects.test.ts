import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { failureOf } from '../../../test/support/failure-of.ts';
import { type HostileGit, type Lie, startHostileGit } from '../../../test/support/hostile-git.ts';
import type { CommitSha } from '../../plan/names.ts';
import { openShelf } from '../storage/shelf.ts';
import { createGit } from './git-command.ts';
import { createMirrors } from './git-mirrors.ts';
import { createGitServers } from './git-servers.ts';

let server: HostileGit;
let other: HostileGit;
let head: CommitSha;

beforeAll(async () => {
  [server, other] = await Promise.all([startHostileGit(), startHostileGit()]);
  for (const { repository } of [server, other]) {
    const moved = await repository('new');
    head = await moved.commit('start', { f: 'moved\n' });
    await moved.publish();
  }
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});
afterEach(() => server.lie());

function connect(urls: Record<string, string> = {}) {
  const credentials = { [server.host]: { username: 'me', password: 'hunter2' } };
  const git = createGit({ urls, credentials });
  return {
    servers: createGitServers(git),
    mirrors: createMirrors(
      git,
      openShelf(`${server.folder}/${randomUUID()}`),
      `${server.folder}/wholes`,
    ),
  };
}

/** What a forge does for a repository that was renamed. */
const renamed =
  (base: string) =>
  (request: string): Lie | undefined =>
    /\/a\/old\b/.test(request)
      ? { kind: 'redirect', to: `${base}/a/new/info/refs?service=git-upload-pack` }
      : undefined;

test.for([
  ['an absolute address', (): string => `http://${server.host}`],
  ['a path', (): string => ''],
] as const)('a renamed repository is found where its host says, by %s', async ([, base]) => {
  server.lie(renamed(base()));
  const { servers, mirrors } = connect();
  const url = server.url('old');
  expect((await servers.advertisement(url)).refs.get('refs/heads/main')).toBe(head);
  expect(await servers.commit(url, head)).toBe(head);
  const mirror = await mirrors.mirror(url);
  await mirror.fetch(url, [head]);
  expect((await mirror.files(head)).files.get('f')?.content.toString()).toBe('moved\n');
});

test('a rewritten address may have been renamed, too', async () => {
  server.lie(renamed(''));
  const { servers } = connect({ 'https://git.example.com/': `http://${server.host}/` });
  const advertised = await servers.advertisement('https://git.example.com/a/old');
  expect(advertised.refs.get('refs/heads/main')).toBe(head);
});

test('another host never sees a request, and the failure names it', async () => {
  const asked = other.seen.length;
  server.lie(renamed(`http://${other.host}`));
  const failure = await failureOf(connect().servers.advertisement(server.url('old')));
  expect(failure).toMatchObject({
    reason: 'host-not-allowed',
    detail: expect.stringContaining(`"http://${other.host}/a/new"`),
    hint: expect.stringMatching(/new address.*`hosts` of the configuration/s),
  });
  expect(other.seen.length).toBe(asked);
});

test('another host does not see what is asked after the first answer, either', async () => {
  const asked = other.seen.length;
  server.lie((request) =>
    request.startsWith('POST')
      ? { kind: 'redirect', status: 307, to: `${other.url('new')}/git-upload-pack` }
      : undefined,
  );
  const { servers, mirrors } = connect();
  const url = server.url('new');
  expect(await failureOf(servers.advertisement(url))).toMatchObject({ reason: 'host-not-allowed' });
  const mirror = await mirrors.mirror(url);
  const failure = await failureOf(mirror.fetch(url, [head]));
  expect(failure.detail).toContain(other.host);
  expect(other.seen.length).toBe(asked);
});

test.for([
  ['a page to sign in', '/users/sign_in'],
  ['a file', 'file:///etc'],
  ['a command', 'ext::sh -c touch% /tmp/owned'],
  ['an address with a secret', 'https://me:hunter2@git.example.com/x/info/refs'],
  ['itself', '/a/old/info/refs?service=git-upload-pack'],
] as const)('a redirect to %s is refused', async ([, to]) => {
  server.lie((request) => (request.includes('/a/old') ? { kind: 'redirect', to } : undefined));
  const failure = await failureOf(connect().servers.advertisement(server.url('old')));
  expect(failure.reason).toBe('host-not-allowed');
  expect(JSON.stringify(failure)).not.toContain('hunter2');
});
