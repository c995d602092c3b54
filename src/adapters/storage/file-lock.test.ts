import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startProcess } from '../processes/command.ts';
import { withFileLock } from './file-lock.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('only one call at a time has the lock', async () => {
  let inside = 0;
  let most = 0;
  const work = () =>
    withFileLock(join(folder, 'a.lock'), async () => {
      inside += 1;
      most = Math.max(most, inside);
      await sleep(10);
      inside -= 1;
    });
  await Promise.all([work(), work(), work(), work()]);
  expect(most).toBe(1);
});

test('a failure gives the lock up', async () => {
  const path = join(folder, 'a.lock');
  await expect(withFileLock(path, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await withFileLock(path, async () => 1)).toBe(1);
});

test('a process that is killed gives the lock up', async () => {
  const path = join(folder, 'a.lock');
  const program = `
    import { withFileLock } from ${JSON.stringify(new URL('./file-lock.ts', import.meta.url).href)};
    await withFileLock(${JSON.stringify(path)}, () => new Promise(() => { console.log('held'); setInterval(() => {}, 1000); }));`;
  const child = await startProcess(process.execPath, ['--input-type=module', '-e', program], {
    cwd: folder,
  });
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  let got = false;
  const mine = withFileLock(path, async () => {
    got = true;
  });
  await sleep(150);
  expect(got).toBe(false);
  await child.kill(0);
  await mine;
  expect(got).toBe(true);
});
