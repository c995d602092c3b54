import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { LogFile } from '../../../src/steps/log-file.ts';
import type { HostileWorld, Place } from './places.ts';

/** Prints so many MiB, and looks at what is kept of them. */
export async function floodLog(
  attack: Place['attack'],
  world: HostileWorld,
  mebibytes: number,
): Promise<void> {
  const file = join(world.folder, 'step.log');
  const log = new LogFile(file, 2 ** 20);
  const code = `echo the first >&2; perl -e 'print q(x) x 1023, qq(\\n) for 1 .. 1024 * ${mebibytes}' >&2; echo the last >&2`;
  const { failure, printed } = await attack(world, { code, log: (text) => log.write(text) });
  log.close();
  expect(failure).toBeUndefined();
  expect(printed).toBeGreaterThan(mebibytes * 2 ** 20);
  const kept = await readFile(file, 'utf8');
  expect(kept.length).toBeLessThan(1.1 * 2 ** 20);
  expect(kept).toContain('the first\n');
  expect(kept).toMatch(/\[\d+ bytes are left out here\]\n/);
  expect(kept).toContain('the last\n');
  await rm(file);
}
