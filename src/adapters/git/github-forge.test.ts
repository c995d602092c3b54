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

test('asks for the base branch with the token', async () => {
  const { asked, forge } = await serve(
    200,
    '{"base": {"ref": "release-v1"}, "head": {"ref": "x"}}',
  );
  expect(await forge.baseBranch({ path: 'tektoncd/pipeline' }, 4638)).toBe('release-v1');
  expect(asked).toEqual(['/repos/tektoncd/pipeline/pulls/4638 Bearer secret']);
});

test('a pull request that the forge does not know has no base', async () => {
  const { forge } = await serve(404, '{}');
  expect(await forge.baseBranch({ path: 'a/b' }, 1)).toBeUndefined();
});

test.for([
  [200, '{"base": {}}', {}, 'no pull request'],
  [200, 'no JSON', {}, 'no pull request'],
  [302, '', { location: 'http://127.0.0.1:1/' }, ''],
] as const)(
  '%s %s is the fault of the forge, and no token goes elsewhere',
  async ([status, body, headers, why]) => {
    const { asked, forge } = await serve(status, body, headers);
    const error = await forge.baseBranch({ path: 'a/b' }, 1).catch((thrown: unknown) => thrown);
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
