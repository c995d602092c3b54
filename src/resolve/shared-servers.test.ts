import { expect, test } from 'vitest';
import type { Advertisement, GitServers } from './git-interface.ts';
import { shared } from './shared-servers.ts';

function counting(answer: () => Promise<Advertisement>) {
  const asked: string[] = [];
  const servers: GitServers = {
    advertisement: (url) => {
      asked.push(url);
      return answer();
    },
    commit: async () => undefined,
  };
  return { asked, servers };
}
const nothing: Advertisement = { refs: new Map(), defaultBranch: undefined };

test('what is asked at once, or within two seconds, is asked once', async () => {
  let clock = 0;
  const { asked, servers } = counting(async () => nothing);
  const git = shared(servers, () => clock);
  await Promise.all([git.advertisement('a'), git.advertisement('a'), git.advertisement('b')]);
  clock = 1999;
  await git.advertisement('a');
  expect(asked).toEqual(['a', 'b']);
  clock = 2001;
  await git.advertisement('a');
  expect(asked).toEqual(['a', 'b', 'a']);
});

test('a failure is not kept', async () => {
  let fails = true;
  const { asked, servers } = counting(async () => {
    if (fails) throw new Error('no');
    return nothing;
  });
  const git = shared(servers, () => 0);
  await expect(git.advertisement('a')).rejects.toThrow('no');
  fails = false;
  expect(await git.advertisement('a')).toBe(nothing);
  expect(asked).toHaveLength(2);
});
