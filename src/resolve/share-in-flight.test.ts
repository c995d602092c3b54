import { expect, test } from 'vitest';
import { shareInFlight } from './share-in-flight.ts';

test('what is asked while the same is worked on is worked on once, whatever the order of its keys', async () => {
  const asked: unknown[] = [];
  const share = shareInFlight(async (what: object) => {
    asked.push(what);
    return asked.length;
  });
  const answers = [share({ a: 1, b: 2 }), share({ b: 2, a: 1 }), share({ a: 2 })];
  expect(await Promise.all(answers)).toEqual([1, 1, 2]);
  expect(await share({ a: 1, b: 2 })).toBe(3);
});

test('a failure reaches all who wait, and is not kept', async () => {
  let fails = true;
  const share = shareInFlight(async (_: string) => {
    if (fails) throw new Error('no');
    return 'yes';
  });
  const both = await Promise.allSettled([share('x'), share('x')]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  fails = false;
  expect(await share('x')).toBe('yes');
});
