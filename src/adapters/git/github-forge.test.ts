import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { FailureError } from '../../builds/failure.ts';
import { createPersist } from '../persist.ts';
import { createGitHubForge } from './github-forge.ts';

async function serve(status: number, body: string, headers: Record<string, string> = {}) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.authorization}`);
    response.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const persist = createPersist({ total: 1000, first: 1, longest: 4 });
  return { asked, forge: createGitHubForge(api, async () => 'secret', persist) };
}

test('asks with the token for the base branch, and where the head comes from', async () => {
  const { asked, forge } = await serve(
    200,
    '{"base": {"ref": "release-v1"}, "head": {"sha": "aa", "repo": {"full_name": "Ada/pipeline"}}, "merge_commit_sha": "bb"}',
  );
  expect(await forge.pullRequest({ path: 'tektoncd/pipeline' }, 4638)).toEqual({
    base: 'release-v1',
    from: 'Ada/pipeline',
    commits: ['aa', 'bb'],
  });
  expect(asked).toEqual(['/repos/tektoncd/pipeline/pulls/4638 Bearer secret']);
});

test('of a pull request whose fork is gone, nobody knows where it comes from', async () => {
  const { forge } = await serve(
    200,
    '{"base": {"ref": "main"}, "head": {"sha": "aa", "repo": null}, "merge_commit_sha": null}',
  );
  expect(await forge.pullRequest({ path: 'a/b' }, 1)).toEqual({
    base: 'main',
    from: undefined,
    commits: ['aa'],
  });
});

test('a pull request that the forge does not know is none', async () => {
  const { forge } = await serve(404, '{}');
  expect(await forge.pullRequest({ path: 'a/b' }, 1)).toBeUndefined();
});

test.for([
  [200, '{"base": {}}', {}, 'no pull request'],
  [200, 'no JSON', {}, 'no pull request'],
  [302, '', { location: 'http://127.0.0.1:1/' }, ''],
] as const)(
  '%s %s is the fault of the forge, and no token goes elsewhere',
  async ([status, body, headers, why]) => {
    const { asked, forge } = await serve(status, body, headers);
    const error = await forge.pullRequest({ path: 'a/b' }, 1).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FailureError);
    const [failure] = (error as FailureError).failures;
    expect(failure).toMatchObject({
      reason: 'git-unavailable',
      detail: expect.stringContaining(why),
    });
    expect(failure.detail).not.toContain('secret');
    expect(asked).toHaveLength(1);
  },
);
