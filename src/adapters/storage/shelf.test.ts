import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openShelf, type Shelf } from './shelf.ts';

const kilobyte = 1024;
let folder = '';
let shelf: Shelf;
/** Names of entries that were made, in order. */
let made: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shelf-'));
  shelf = openShelf(join(folder, 'shelf'));
  made = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Holds an entry of 200 kB. */
function hold(name: string) {
  return shelf.hold(name, async (draft) => {
    made.push(name);
    await writeFile(join(draft, 'content'), Buffer.alloc(200 * kilobyte, name));
  });
}

/** Uses an entry, so many hours ago. */
async function used(name: string, hours: number): Promise<void> {
  await (await hold(name)).release();
  const time = new Date(Date.now() - hours * 3_600_000);
  await utimes(join(shelf.folder, `.use-${name}`), time, time);
}

async function entries(): Promise<string[]> {
  return (await readdir(shelf.folder)).filter((name) => !name.startsWith('.')).sort();
}

test('makes an entry once, also for two who want it at the same time', async () => {
  const locks = await Promise.all([hold('a'), hold('a')]);
  expect(made).toEqual(['a']);
  for (const lock of locks) await lock.release();
  await (await hold('a')).release();
  expect(made).toEqual(['a']);
});

test('what cannot be made, or was half made by a process that was killed, is not there', async () => {
  const broken = shelf.hold('a', () => Promise.reject(new Error('no room')));
  await expect(broken).rejects.toThrow('no room');
  await mkdir(join(shelf.folder, '.draft-a', 'half'), { recursive: true });
  await (await hold('a')).release();
  expect(await readdir(join(shelf.folder, 'a'))).toEqual(['content']);
});

test('removes what was used longest ago until the limit is kept, and makes it again when it is wanted', async () => {
  await used('young', 1);
  await used('oldest', 3);
  await used('old', 2);
  expect(await shelf.evict(1000 * kilobyte)).toEqual([]);
  expect(await shelf.evict(500 * kilobyte)).toEqual(['oldest']);
  expect(await shelf.evict(300 * kilobyte)).toEqual(['old']);
  expect(await entries()).toEqual(['young']);
  await (await hold('old')).release();
  expect(made.filter((name) => name === 'old')).toHaveLength(2);
});

test('never removes what is in use, however small the limit', async () => {
  await used('a', 5);
  await used('b', 4);
  await using _held = await openShelf(shelf.folder).hold('a', () => Promise.reject());
  await using _again = await hold('a');
  expect(await shelf.evict(0)).toEqual(['b']);
  expect(await entries()).toEqual(['a']);
});

test('never removes what is needed otherwise, also where that is so while it goes', async () => {
  await used('a', 5);
  await used('b', 4);
  let asked = 0;
  const isNeeded = async (name: string) => name === 'a' && ++asked > 1;
  expect(await shelf.evict(0, isNeeded)).toEqual(['b']);
  expect(await entries()).toEqual(['a']);
});

test('removes what a process left that was killed while it made room', async () => {
  await mkdir(join(shelf.folder, '.evicted-a', 'content'), { recursive: true });
  await shelf.evict(1000 * kilobyte);
  expect(await readdir(shelf.folder)).not.toContain('.evicted-a');
});
