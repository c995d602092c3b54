import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setAside } from '../adapters/builder/set-aside.ts';
import { openSqliteStore } from '../adapters/storage/sqlite-store.ts';
import { FailureError } from '../builds/failure.ts';
import type { LoadedConfiguration } from '../config/load-config.ts';
import type { BuildStore } from '../engine/local/store.ts';
import { databaseFile } from './open-store.ts';
import { findRunningService } from './running-service.ts';

/**
 * The store of a state folder on which no service works: as it is where it is sound, else a new one, and the damaged one is
 * kept aside. Throws FailureError `still-running`, or `bad-state` where a newer version wrote it.
 */
export async function openForRecovery(
  { state }: Pick<LoadedConfiguration, 'state'>,
  now: Date,
): Promise<{ readonly store: BuildStore; readonly setAside: string | null }> {
  const running = await findRunningService(join(state, 'service.json'));
  if (running !== undefined) throw new FailureError(stillServed(state, running));
  await mkdir(state, { recursive: true, mode: 0o700 });
  const file = databaseFile(state);
  try {
    return { store: openSqliteStore(file, { check: true }), setAside: null };
  } catch (error) {
    if (!isDamaged(error)) throw error;
    const aside = await setAside(file, now);
    return { store: openSqliteStore(file), setAside: aside };
  }
}

function isDamaged(error: unknown): boolean {
  return (
    error instanceof FailureError &&
    error.failures.some(({ about }) => about?.['damaged'] !== undefined)
  );
}

function stillServed(state: string, url: string) {
  return {
    reason: 'still-running',
    detail: `A service at ${url} works on ${state}.`,
    hint: 'End it first: it would go on with the database that it has open.',
  } as const;
}
