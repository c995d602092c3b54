import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createRepository, temporaryFolder } from '../../../test/support/git-repository.ts';
import { FailureError } from '../../builds/failure.ts';
import { createPersist } from '../persist.ts';
import { createGit } from './git-command.ts';
import { serverFailure } from './git-failure.ts';
import { createGitServers, parseAdvertisement } from './git-servers.ts';
import { gitEnvironment } from './git-settings.ts';

test('annotated tags are peeled, and the default branch is read', () => {
  const [tag, commit] = ['1'.repeat(40), '2'.repeat(40)];
  const advertised = parseAdvertisement(
    `ref: refs/heads/trunk\tHEAD\n${commit}\tHEAD\n${commit}\trefs/heads/trunk\n${tag}\trefs/tags/v1\n${commit}\trefs/tags/v1^{}\n`,
  );
  expect(advertised.defaultBranch).toBe('trunk');
  expect(Object.fromEntries(advertised.refs)).toEqual({
    HEAD: commit,
    'refs/heads/trunk': commit,
    'refs/tags/v1': commit,
  });
});

test('a full name means the commit: tags are peeled, other objects are none', async () => {
  const folder = await temporaryFolder();
  onTestFinished(() => folder[Symbol.asyncDispose]());
  const repository = await createRepository(join(folder.path, 'r'));
  const commit = await repository.commit('one', { f: '1\n' });
  await repository.git('tag', '-a', '-m', 'v1', 'v1');
  const servers = createGitServers(createGit({ urls: {}, credentials: {}, protocols: ['file'] }));
  expect(await servers.commit(repository.url, commit)).toBe(commit);
  expect(await servers.commit(repository.url, await repository.git('rev-parse', 'v1'))).toBe(
    commit,
  );
  expect(
    await servers.commit(repository.url, await repository.git('rev-parse', 'HEAD^{tree}')),
  ).toBeUndefined();
  expect(await servers.commit(repository.url, '3'.repeat(40))).toBeUndefined();
});

async function refusing(status: number) {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { requests, host: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const persist = createPersist({ total: 1000, first: 10, longest: 400 });

async function failureOf(host: string, credentials = {}) {
  const servers = createGitServers(createGit({ urls: {}, credentials }, { persist }));
  const error = await servers
    .advertisement(`http://${host}/a/b`)
    .catch((thrown: unknown) => thrown);
  if (error instanceof FailureError) return error.failures[0];
  throw error;
}

test.for([
  [401, 'ref-not-found'],
  [403, 'ref-not-found'],
  [404, 'ref-not-found'],
] as const)('HTTP %s is %s, and asked once', async ([status, reason]) => {
  const { requests, host } = await refusing(status);
  expect((await failureOf(host)).reason).toBe(reason);
  expect(requests).toHaveLength(1);
});

test.for([401, 403])('HTTP %s to a credential of ours is the fault of that', async (status) => {
  const { requests, host } = await refusing(status);
  const credentials = { [host]: { username: 'me', password: 'hunter2' } };
  expect(await failureOf(host, credentials)).toMatchObject({
    reason: 'git-denied',
    hint: expect.stringContaining(host),
  });
  expect(requests).toHaveLength(1);
});

test('a credential goes to its host alone, and never into a failure', async () => {
  const [mine, other] = [await refusing(404), await refusing(404)];
  const credentials = { [mine.host]: { username: 'me', password: 'hunter2' } };
  const failure = await failureOf(mine.host, credentials);
  await failureOf(other.host, credentials);
  const basic = `Basic ${Buffer.from('me:hunter2').toString('base64')}`;
  expect(mine.requests.map(({ headers }) => headers.authorization)).toEqual([basic]);
  expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  expect(JSON.stringify(failure)).not.toContain('hunter2');
});

test('a credential of another machine travels encrypted only', () => {
  const settings = {
    urls: {},
    credentials: { 'git.example.com': { username: 'me', password: 'x' } },
  };
  const keys = Object.values(gitEnvironment(settings, []));
  expect(keys).toContain('http.https://git.example.com/.extraHeader');
  expect(keys).not.toContain('http.http://git.example.com/.extraHeader');
});

test('a protocol that is not allowed is refused', async () => {
  const servers = createGitServers(createGit({ urls: {}, credentials: {} }));
  const error = await servers.advertisement('file:///etc').catch((thrown: unknown) => thrown);
  expect((error as FailureError).failures[0].reason).toBe('host-not-allowed');
});

test.for([
  ["fatal: repository 'https://h/a/b/' not found", 'ref-not-found'],
  [
    "fatal: could not read Username for 'https://github.com': terminal prompts disabled",
    'ref-not-found',
  ],
  ['fatal: remote error: upload-pack: not our ref 1234', 'ref-not-found'],
  ["fatal: unable to access 'https://h/': Could not resolve host: h", 'git-unavailable'],
  ['error: RPC failed; curl 56\nfatal: early EOF', 'git-unavailable'],
  ['', 'git-unavailable'],
] as const)('%s means %s', ([stderr, reason]) => {
  const failure = serverFailure('https://h/a/b', stderr);
  expect(failure.reason).toBe(reason);
  expect(failure.hint).not.toBe('');
});
