import { setTimeout as sleep } from 'node:timers/promises';
import type { Failure, Outcome } from '../builds/failure.ts';
import { failed } from '../builds/result.ts';
import type { CheckedRequest } from '../request/check-request.ts';

/**
 * What comes of resolving a request, or after so many seconds the failure that git servers take too long. What they send
 * goes on coming in: whoever asks again finds it, or waits for the rest.
 */
export async function inTime<Value>(
  resolving: Promise<Outcome<Value>>,
  request: CheckedRequest,
  seconds: number | undefined,
): Promise<Outcome<Value>> {
  if (seconds === undefined) return resolving;
  const done = new AbortController();
  const late = sleep(seconds * 1000, undefined, { signal: done.signal }).then(
    () => failed(tooSlow(request, seconds)),
    () => resolving,
  );
  try {
    return await Promise.race([resolving, late]);
  } finally {
    done.abort();
  }
}

function tooSlow({ components, product }: CheckedRequest, seconds: number): Failure {
  const wishes = [...Object.values(components), ...(product === undefined ? [] : [product])];
  const hosts = [...new Set(wishes.map(({ ref }) => ref.repository.host))].sort();
  return {
    reason: 'git-too-slow',
    detail: `The git servers did not tell within ${seconds} seconds what the refs of the request name.`,
    hint: 'Ask again in a moment: what they send goes on coming in, and is kept. If it stays so, look whether they answer `git ls-remote` on the machine of the service.',
    about: { servers: hosts },
  };
}
