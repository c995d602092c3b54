import { beforeEach, describe, expect, test } from 'vitest';
import { BoundedMap } from './bounded-map.ts';
import type { Access, Caller, Permission } from './caller.ts';
import { createRateLimit } from './rate-limit.ts';
import { type RememberedAccess, rememberedAccess } from './remembered-access.ts';

const ada: Caller = { user: 'ada', groups: [], extra: {} };
let time = 0;
let asked: string[];
let known: Map<string, Caller>;
let allowed: boolean;
let broken: boolean;
let access: RememberedAccess;

beforeEach(() => {
  time = 0;
  asked = [];
  known = new Map([['of-ada', ada]]);
  allowed = true;
  broken = false;
  const asking: Access = {
    identify: async (token) => {
      asked.push(token);
      if (broken) throw new Error('away');
      return known.get(token);
    },
    allows: async ({ user }: Caller, permission: Permission) => {
      asked.push(`${user} ${permission}`);
      return allowed;
    },
  };
  access = rememberedAccess(asking, () => time);
});

describe('what the cluster answered', () => {
  test('counts for half a minute, and no longer', async () => {
    for (time of [0, 29_999]) expect(await access.identify('of-ada')).toBe(ada);
    expect(asked).toHaveLength(1);
    known.clear();
    time = 30_000;
    expect(await access.identify('of-ada')).toBeUndefined();
  });

  test('counts for three seconds where it was no: a right that was just given works soon', async () => {
    allowed = false;
    expect(await access.allows(ada, 'create')).toBe(false);
    allowed = true;
    time = 2999;
    expect(await access.allows(ada, 'create')).toBe(false);
    time = 3000;
    expect(await access.allows(ada, 'create')).toBe(true);
  });

  test('counts for that caller and permission alone', async () => {
    await access.allows(ada, 'create');
    await access.allows(ada, 'get');
    await access.allows({ ...ada, groups: ['admins'] }, 'get');
    expect(asked).toEqual(['ada create', 'ada get', 'ada get']);
  });

  test('is asked once for many at the same time', async () => {
    await Promise.all(Array.from({ length: 20 }, () => access.identify('of-ada')));
    expect(asked).toHaveLength(1);
  });

  test('is not kept where it failed', async () => {
    broken = true;
    await expect(access.identify('of-ada')).rejects.toThrow('away');
    broken = false;
    expect(await access.identify('of-ada')).toBe(ada);
  });
});

test('however many made-up tokens are sent, who is known stays known', async () => {
  await access.identify('of-ada');
  for (let made = 0; made < 2500; made += 1) await access.identify(`made-up-${made}`);
  asked = [];
  expect(await access.identify('of-ada')).toBe(ada);
  expect(asked).toEqual([]);
  expect([access.knows('of-ada'), access.knows('made-up-0')]).toEqual([true, false]);
});

describe('a token that was somebody’s', () => {
  test('is known for an hour after the cluster last said so', async () => {
    await access.identify('of-ada');
    for (time of [30_000, 3_599_999]) expect(access.knows('of-ada')).toBe(true);
    time = 3_600_000;
    expect(access.knows('of-ada')).toBe(false);
    await access.identify('of-ada');
    time += 3_599_999;
    expect(access.knows('of-ada')).toBe(true);
  });

  test('is not, once the cluster says that it is nobody’s', async () => {
    await access.identify('of-ada');
    known.clear();
    time = 30_000;
    await access.identify('of-ada');
    time = 33_000;
    expect(access.knows('of-ada')).toBe(false);
  });

  test('is while the cluster does not answer', async () => {
    await access.identify('of-ada');
    broken = true;
    time = 30_000;
    await expect(access.identify('of-ada')).rejects.toThrow('away');
    expect(access.knows('of-ada')).toBe(true);
  });
});

test('a bounded map forgets what was set longest ago', () => {
  const map = new BoundedMap<string, number>(2);
  map.set('a', 1);
  map.set('b', 2);
  map.set('a', 3);
  map.set('c', 4);
  expect([map.size, map.get('a'), map.get('b'), map.get('c')]).toEqual([2, 3, undefined, 4]);
});

describe('the limit of requests', () => {
  test('is one for each caller, and fills evenly', () => {
    const { take: wait } = createRateLimit(3, () => time);
    expect([wait('ada'), wait('ada'), wait('ada')]).toEqual([0, 0, 0]);
    expect(wait('ada')).toBe(20);
    expect(wait('bob')).toBe(0);
    time = 20_000;
    expect(wait('ada')).toBe(0);
    expect(wait('ada')).toBeGreaterThan(0);
  });

  test('does not count what is given back', () => {
    const limit = createRateLimit(1, () => time);
    expect(limit.take('ada')).toBe(0);
    limit.giveBack('ada');
    limit.giveBack('ada');
    expect([limit.take('ada'), limit.take('ada') > 0]).toEqual([0, true]);
  });

  test('never saves up more than a minute of them', () => {
    const { take: wait } = createRateLimit(2, () => time);
    time = 3_600_000;
    expect([wait('ada'), wait('ada'), wait('ada') > 0]).toEqual([0, 0, true]);
  });
});
