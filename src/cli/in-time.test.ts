import { expect, test } from 'vitest';
import type { CheckedRequest } from '../request/check-request.ts';
import { inTime, tooSlow } from './in-time.ts';

test('what comes in time is the answer, good or bad', async () => {
  expect(await inTime(Promise.resolve(1), 5, () => 2)).toBe(1);
  const broken = Promise.reject(new Error('a bug'));
  await expect(inTime(broken, 5, () => 2)).rejects.toThrow('a bug');
});

test('else something else is said', async () => {
  const never = new Promise<number>(() => {});
  expect(await inTime(never, 0.02, () => 2)).toBe(2);
});

test('whoever asked for refs hears which servers are waited for, and what to do', () => {
  const wish = (host: string) => ({ ref: { repository: { host } } });
  const request = {
    components: { a: wish('github.com'), b: wish('git.example.com'), c: wish('github.com') },
  } as unknown as CheckedRequest;
  expect(tooSlow(request, 5)).toMatchObject({
    reason: 'git-too-slow',
    hint: expect.stringContaining('Ask again'),
    about: { servers: ['git.example.com', 'github.com'] },
  });
});
