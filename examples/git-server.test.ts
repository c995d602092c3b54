import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type GitServer, startGitServer } from './git-server.ts';
import { makeRepositories } from './make-repositories.ts';

let root: string;
let server: GitServer;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'demo-git-server-'));
  makeRepositories(join(root, 'repositories'));
  server = await startGitServer(join(root, 'repositories'));
}, 30_000);
afterAll(async () => {
  await server.close();
  rmSync(root, { recursive: true, force: true });
});

test.for([
  'https://github.com/tektoncd/pipeline',
  'https://github.com/tektoncd/pipeline.git',
  'https://github.com/openshift-pipelines/pipelines-as-code',
])('%s is served, its pull requests too', async (url) => {
  const refs = await git('ls-remote', url);
  expect(refs).toMatch(/^[0-9a-f]{40}\trefs\/pull\/\d+\/head$/m);
  expect(refs).toMatch(/^[0-9a-f]{40}\trefs\/pull\/\d+\/merge$/m);
});

test('a partial clone leaves the blobs behind', async () => {
  const folder = join(root, 'partial');
  await git(
    'clone',
    '-q',
    '--bare',
    '--filter=blob:none',
    'https://github.com/tektoncd/triggers',
    folder,
  );
  const objects = await git(
    '-C',
    folder,
    'cat-file',
    '--batch-all-objects',
    '--batch-check=%(objecttype)',
  );
  expect(objects).toContain('commit');
  expect(objects).not.toContain('blob');
});

test('any commit is served by its name, to a depth of one', async () => {
  const folder = join(root, 'shallow');
  const [commit = ''] = (
    await git('ls-remote', 'https://github.com/tektoncd/pipeline', 'refs/pull/4638/head')
  ).split('\t');
  const parent = (
    await git('-C', join(root, 'repositories/tektoncd/pipeline.git'), 'rev-parse', `${commit}~1`)
  ).trim();
  await git('init', '-q', folder);
  await git(
    '-C',
    folder,
    'fetch',
    '-q',
    '--depth=1',
    'https://github.com/tektoncd/pipeline',
    parent,
  );
  expect(await git('-C', folder, 'log', '--format=%s', 'FETCH_HEAD')).toBe(
    'Greet in the words of pull request 4638\n',
  );
});

test('protocol 2 is spoken, and request bodies may be compressed', async () => {
  const command = '0014command=ls-refs\n0000';
  const answer = await fetch(`${server.url}tektoncd/pipeline/git-upload-pack`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-git-upload-pack-request',
      'content-encoding': 'gzip',
      'git-protocol': 'version=2',
    },
    body: gzipSync(command),
  });
  expect(answer.headers.get('content-type')).toBe('application/x-git-upload-pack-result');
  expect(await answer.text()).toContain('refs/heads/main');
});

test.for([
  'tektoncd/nothing/info/refs?service=git-upload-pack',
  'tektoncd/../pipeline/info/refs',
  'tektoncd/pipeline/config',
  '',
])('/%s is not there', async (path) => {
  expect((await fetch(server.url + path)).status).toBe(404);
});

test('nobody can push', async () => {
  const folder = join(root, 'pushing');
  await git('clone', '-q', 'https://github.com/tektoncd/triggers', folder);
  await expect(git('-C', folder, 'push', '-q', 'origin', 'HEAD:refs/heads/mine')).rejects.toThrow(
    '403',
  );
});

test('many may ask at once, and each request is counted', async () => {
  const before = server.requests;
  await Promise.all(
    Array.from({ length: 8 }, () =>
      git('ls-remote', 'https://github.com/tektoncd/operator', 'HEAD'),
    ),
  );
  expect(server.requests - before).toBe(16);
});

test('closing does not wait for clients that hang', async () => {
  const other = await startGitServer(join(root, 'repositories'));
  const socket = connect(Number(new URL(other.url).port), '127.0.0.1');
  socket.on('error', () => {}).resume();
  socket.write(
    'POST /tektoncd/pipeline/git-upload-pack HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n0014',
  );
  while (other.requests === 0) await new Promise((done) => setTimeout(done, 5));
  const closed = new Promise((done) => socket.once('close', done));
  await other.close();
  await closed;
});

async function git(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('git', args, {
    env: {
      ...process.env,
      GIT_TERMINAL_PROMPT: '0',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: `url.${server.url}.insteadOf`,
      GIT_CONFIG_VALUE_0: 'https://github.com/',
    },
  });
  return stdout;
}
