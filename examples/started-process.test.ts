import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { childOf, isRunning, startedProcess } from './started-process.ts';

test('a process runs until it has ended', async () => {
  const child = spawn('sleep', ['60']);
  const known = startedProcess(child.pid ?? 0);
  expect(isRunning(known)).toBe(true);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(isRunning(known)).toBe(false);
});

test('another process that has the id of one that ended is not taken for it', () => {
  const { pid, started } = startedProcess(process.pid);
  expect(isRunning({ pid, started })).toBe(true);
  expect(isRunning({ pid, started: String(Number(started) - 1) })).toBe(false);
});

test('one that ended while its parent did not look does not run', async () => {
  // The shell becomes a program that never asks for its child.
  const parent = spawn('sh', ['-c', 'sleep 0.1 & exec sleep 60']);
  const child = await known(() => childOf(parent.pid ?? 0));
  while (isRunning(startedProcess(child))) await new Promise((done) => setTimeout(done, 20));
  expect(childOf(parent.pid ?? 0)).toBe(child);
  parent.kill('SIGKILL');
});

async function known(look: () => number): Promise<number> {
  while (look() === 0) await new Promise((done) => setTimeout(done, 5));
  return look();
}
