import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, isOwnerId } from './owner.ts';
import type { BuildStore } from './store.ts';

export interface SweepOptions {
  readonly store: Pick<BuildStore, 'finishedBefore'>;
  readonly state: string;
  readonly removeFolder: (folder: string) => Promise<void>;
  readonly now: () => Date;
  readonly keepDays: number;
}

/** Removes temporary folders of engines that are gone, and runs and logs of builds that ended long ago. */
export async function sweep(options: SweepOptions): Promise<void> {
  const { store, state, removeFolder, now, keepDays } = options;
  const temporary = join(state, 'tmp');
  for (const name of await list(temporary)) {
    if (isOwnerId(name) && !isAlive(name)) await removeFolder(join(temporary, name));
  }
  const before = new Date(now().getTime() - keepDays * 24 * 60 * 60 * 1000).toISOString();
  const old = new Set<string>(store.finishedBefore(before).map((build) => build.asked.tag));
  for (const folder of [join(state, 'runs'), join(state, 'logs')]) {
    for (const tag of await list(folder)) {
      if (old.has(tag)) await removeFolder(join(folder, tag));
    }
  }
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch {
    return [];
  }
}
