import { setTimeout as sleep } from 'node:timers/promises';
import type { Failure } from '../builds/failure.ts';
import type { CheckedRequest } from '../request/check-request.ts';

/**
 * What comes of some work, or after so many seconds what is said instead. The work goes on: whoever asks again finds what
 * it fetched, or waits for the rest.
 */
export async function inTime<Value>(
  work: Promise<Value>,
  seconds: number | undefined,
  instead: () => Value,
): Promise<Value> {
  if (seconds === undefined) return work;
  const done = new AbortController();
  const late = sleep(seconds * 1000, undefined, { signal: done.signal }).then(instead, () => work);
  try {
    return await Promise.race([work, late]);
  } finally {
    done.abort();
  }
}

/** The failure of a request whose refs could not be looked up in time: which servers are waited for, and what to do. */
export function tooSlow({ components, product }: CheckedRequest, seconds: number): Failure {
  const wishes = [...Object.values(components), ...(product === undefined ? [] : [product])];
  const hosts = [...new Set(wishes.map(({ ref }) => ref.repository.host))].sort();
  return {
    reason: 'git-too-slow',
    detail: `The git servers did not tell within ${seconds} seconds what the refs of the request name.`,
    hint: 'Ask again in a moment: what they send goes on coming in, and is kept. If it stays so, look whether they answer `git ls-remote` on the machine of the service.',
    about: { servers: hosts },
  };
}
