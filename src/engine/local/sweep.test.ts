import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { sweep } from './sweep.ts';

test('locks of long ago go, and those of today stay', async () => {
  const state = await mkdtemp(join(tmpdir(), 'sweep-'));
  onTestFinished(() => rm(state, { recursive: true }));
  const locks = join(state, 'locks');
  await mkdir(locks);
  for (const name of ['old', 'new']) await writeFile(join(locks, name), '');
  const now = new Date();
  const longAgo = new Date(now.getTime() - 15 * 24 * 60 * 60 * 1000);
  await utimes(join(locks, 'old'), longAgo, longAgo);
  await sweep({
    ...{ state, keepDays: 14, now: () => now, removeFolder: async () => {} },
    store: { removeOld: () => {}, find: () => undefined },
  });
  expect(await readdir(locks)).toEqual(['new']);
});
