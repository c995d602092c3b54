import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openSqliteStore } from '../adapters/storage/sqlite-store.ts';
import type { BuildStore } from '../engine/local/store.ts';

/**
 * The store of a state folder; `check`: the whole of it is looked at. Throws FailureError `bad-state` where it is damaged, or gone
 * although there are logs of builds.
 */
export async function openStore(state: string, check: boolean): Promise<BuildStore> {
  const logs = await readdir(join(state, 'logs')).catch(() => []);
  return openSqliteStore(databaseFile(state), { check, lost: logs.length > 0 });
}

/** Where the database of a state folder is. */
export function databaseFile(state: string): string {
  return join(state, 'tributary.sqlite');
}
