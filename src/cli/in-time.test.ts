import { expect, test } from 'vitest';
import { failed, ok } from '../builds/result.ts';
import type { CheckedRequest } from '../request/check-request.ts';
import { inTime } from './in-time.ts';

const wish = (host: string) => ({ ref: { repository: { host } } });
const request = {
  components: { a: wish('github.com'), b: wish('git.example.com'), c: wish('github.com') },
} as unknown as CheckedRequest;

test('an answer that comes in time is the answer, good or bad', async () => {
  expect(await inTime(Promise.resolve(ok(1)), request, 5)).toEqual(ok(1));
  const failure = failed({ reason: 'bad-ref', detail: 'No.', hint: 'Yes.' } as const);
  expect(await inTime(Promise.resolve(failure), request, 5)).toBe(failure);
  await expect(inTime(Promise.reject(new Error('a bug')), request, 5)).rejects.toThrow('a bug');
});

test('else whoever asks hears which servers are waited for, and what to do', async () => {
  const never = new Promise<never>(() => {});
  expect(await inTime(never, request, 0.02)).toMatchObject({
    ok: false,
    failures: [
      {
        reason: 'git-too-slow',
        hint: expect.stringContaining('Ask again'),
        about: { servers: ['git.example.com', 'github.com'] },
      },
    ],
  });
});
