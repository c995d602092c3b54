import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createMakeAlone } from './key-lock.ts';

let state = '';
beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'key-lock-'));
});
afterEach(() => rm(state, { recursive: true, force: true }));

const forever = new AbortController().signal;

/** Work that goes on until it is told to end. */
function held(makeAlone: ReturnType<typeof createMakeAlone>, reference: string) {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let begun = false;
  let waiting = false;
  const done = makeAlone(
    reference,
    () => {
      waiting = true;
    },
    () => {
      begun = true;
      return promise;
    },
  );
  done.catch(() => {});
  return { done, resolve, reject, begun: () => begun, waiting: () => waiting };
}

test('what another makes is waited for, and what nobody makes is not', async () => {
  const makeAlone = createMakeAlone(state, forever);
  const first = held(makeAlone, 'r/a:key-1');
  await vi.waitUntil(first.begun);
  const other = held(makeAlone, 'r/a:key-2');
  await vi.waitUntil(other.begun);
  const second = held(createMakeAlone(state, forever), 'r/a:key-1');
  await vi.waitUntil(second.waiting);
  expect([first.waiting(), other.waiting(), second.begun()]).toEqual([false, false, false]);
  first.resolve('made');
  await vi.waitUntil(second.begun);
  for (const { resolve } of [second, other]) resolve('made');
  expect(await Promise.all([first.done, second.done, other.done])).toEqual([
    'made',
    'made',
    'made',
  ]);
});

test('the second goes on where the first fails, and is not held up where the second is cancelled', async () => {
  const first = held(createMakeAlone(state, forever), 'r/a:key-1');
  await vi.waitUntil(first.begun);
  const stop = new AbortController();
  const cancelled = held(createMakeAlone(state, stop.signal), 'r/a:key-1');
  await vi.waitUntil(cancelled.waiting);
  stop.abort(new Error('cancelled'));
  await expect(cancelled.done).rejects.toThrow('cancelled');
  const second = held(createMakeAlone(state, forever), 'r/a:key-1');
  await vi.waitUntil(second.waiting);
  first.reject(new Error('it does not build'));
  await expect(first.done).rejects.toThrow('it does not build');
  second.resolve('made');
  expect(await second.done).toBe('made');
});
