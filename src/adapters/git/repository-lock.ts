import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { withFileLock } from '../storage/file-lock.ts';

/**
 * Runs `work`, which writes to a repository of ours, alone among all processes of the machine. Lock files and half
 * packs that a killed git left there go first: git would refuse to work for ever, and nobody but us holds any now.
 */
export function withRepositoryLock<Value>(
  repository: string,
  work: () => Promise<Value>,
): Promise<Value> {
  return withFileLock(`${repository}.lock`, async () => {
    const left = [
      ...(await lockFiles(repository, false)),
      ...(await lockFiles(join(repository, 'refs'), true)),
    ];
    for (const file of left) await rm(file, { force: true });
    await removeDrafts(repository);
    try {
      return await work();
    } finally {
      await removeDrafts(repository);
    }
  });
}

async function lockFiles(folder: string, recursive: boolean): Promise<string[]> {
  const names = await readdir(folder, { recursive }).catch(() => []);
  return names.filter((name) => name.endsWith('.lock')).map((name) => join(folder, name));
}

/** Packs that were not received to their end. */
async function removeDrafts(repository: string): Promise<void> {
  const packs = join(repository, 'objects', 'pack');
  const names = await readdir(packs).catch(() => []);
  for (const name of names.filter((name) => name.startsWith('tmp_')))
    await rm(join(packs, name), { force: true });
}
