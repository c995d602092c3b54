import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FakeService } from '../../../test/support/fake-service.ts';
import { createApp } from '../../api/app.ts';
import { createMetrics } from '../../api/metrics.ts';
import type { App } from '../../api/parts.ts';
import { run } from '../processes/command.ts';
import { createGitHttp } from './git-http.ts';

let folder: string;
let app: App;
let url: string;
let commit: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tributary-git-http-'));
  const work = join(folder, 'work');
  const bare = join(folder, 'state/git/t-000000/tektoncd/pipeline.git');
  mkdirSync(join(folder, 'state/git/t-000000/tektoncd'), { recursive: true });
  await git('init', '--quiet', '--initial-branch=tributary', work);
  writeFileSync(join(work, 'README'), 'merged\n');
  await git('-C', work, 'add', 'README');
  await git(
    '-C',
    work,
    '-c',
    'user.name=a',
    '-c',
    'user.email=a@b',
    'commit',
    '--quiet',
    '--message=one',
  );
  await git('clone', '--quiet', '--bare', work, bare);
  commit = (await git('-C', work, 'rev-parse', 'HEAD')).trim();
  app = await createApp({
    service: new FakeService(),
    git: createGitHttp(join(folder, 'state')),
    metrics: createMetrics(async () => ({ queued: 0, running: 0 })),
    hosts: [],
    closing: new AbortController().signal,
  });
  url = await app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await app.close();
  rmSync(folder, { recursive: true });
});

async function git(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await run('git', args, { cwd: folder });
  expect([exitCode, stderr]).toEqual([0, '']);
  return stdout.toString('utf8');
}

/** git as a client of the service. */
async function client(...args: string[]) {
  const result = await run('git', args, {
    cwd: folder,
    timeout: 20_000,
    env: { GIT_TERMINAL_PROMPT: '0' },
  });
  return { exitCode: result.exitCode, stderr: result.stderr };
}

test.for(['0', '2'])('git clones what a build exports, by protocol %s', async (version) => {
  const target = join(folder, `clone-${version}`);
  const from = `${url}/api/builds/t-000000/git/tektoncd/pipeline.git`;
  const { exitCode, stderr } = await client(
    '-c',
    `protocol.version=${version}`,
    'clone',
    '--quiet',
    from,
    target,
  );
  expect(stderr).toBe('');
  expect(exitCode).toBe(0);
  expect(readFileSync(join(target, 'README'), 'utf8')).toBe('merged\n');
});

test('one commit can be fetched by its name', async () => {
  const target = join(folder, 'fetch');
  await client('init', '--quiet', target);
  const from = `${url}/api/builds/t-000000/git/tektoncd/pipeline.git`;
  expect(await client('-C', target, 'fetch', '--quiet', '--depth=1', from, commit)).toEqual({
    exitCode: 0,
    stderr: '',
  });
});

test('pushing is refused, and changes nothing', async () => {
  const from = `${url}/api/builds/t-000000/git/tektoncd/pipeline.git`;
  const { exitCode, stderr } = await client(
    '-C',
    join(folder, 'work'),
    'push',
    from,
    'HEAD:refs/heads/other',
  );
  expect([exitCode, stderr]).toEqual([128, expect.stringContaining('400')]);
  expect(
    existsSync(join(folder, 'state/git/t-000000/tektoncd/pipeline.git/refs/heads/other')),
  ).toBe(false);
});

test.for([
  ['another build', '/api/builds/t-111111/git/tektoncd/pipeline.git'],
  ['another repository', '/api/builds/t-000000/git/tektoncd/triggers.git'],
  ['a path that climbs', '/api/builds/t-000000/git/..%2f..%2ft-000000%2ftektoncd/pipeline.git'],
  ['a repository named ..', '/api/builds/t-000000/git/tektoncd/%2e%2e'],
] as const)('%s is not there', async ([, path]) => {
  const answer = await fetch(`${url}${path}/info/refs?service=git-upload-pack`);
  expect(answer.status).toBe(404);
});

test('a request without end is cut off', async () => {
  const answer = await fetch(
    `${url}/api/builds/t-000000/git/tektoncd/pipeline.git/git-upload-pack`,
    {
      method: 'POST',
      headers: { 'content-type': 'application/x-git-upload-pack-request' },
      body: '0032want 0000000000000000000000000000000000000000\n'.repeat(200_000),
    },
  ).then(
    (response) => response.text(),
    () => '',
  );
  expect(answer).not.toContain('PACK');
});
