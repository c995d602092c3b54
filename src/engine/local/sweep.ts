import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tag } from '../../plan/names.ts';
import { isAlive, isOwnerId } from './owner.ts';
import type { BuildStore } from './store.ts';

export interface SweepOptions {
  readonly store: Pick<BuildStore, 'removeOld' | 'find'>;
  readonly state: string;
  readonly removeFolder: (folder: string) => Promise<void>;
  readonly now: () => Date;
  readonly keepDays: number;
}

/** Forgets builds that ended long ago, and removes what nobody knows: their folders, and those of engines that are gone. */
export async function sweep(options: SweepOptions): Promise<void> {
  const { store, state, removeFolder, now, keepDays } = options;
  const temporary = join(state, 'tmp');
  for (const name of await list(temporary)) {
    if (isOwnerId(name) && !isAlive(name)) await removeFolder(join(temporary, name));
  }
  store.removeOld(now(), keepDays);
  const before = new Date(now().getTime() - keepDays * 24 * 60 * 60 * 1000).toISOString();
  await removeOldLocks(join(state, 'locks'), before);
  for (const folder of ['runs', 'logs', 'git'].map((name) => join(state, name))) {
    for (const tag of await list(folder)) {
      if (store.find(tag as Tag) === undefined) await removeFolder(join(folder, tag));
    }
  }
}

/** Empty files that say who makes what; no step takes that long, and losing one costs a second build of the same. */
async function removeOldLocks(folder: string, before: string): Promise<void> {
  for (const name of await list(folder)) {
    const { mtime } = await stat(join(folder, name));
    if (mtime.toISOString() < before) await rm(join(folder, name));
  }
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch {
    return [];
  }
}
