import { access, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../processes/command.ts';
import { removeStepFolder } from '../processes/contained-process.ts';
import { contained, privilege } from '../processes/sandbox.ts';
import { evictOldest } from './evict-oldest.ts';
import { type FileLock, lockFile, withFileLock } from './file-lock.ts';

/** Folders that are made once, used by many processes, and removed when room is needed; never while one uses them. */
export interface Shelf {
  readonly folder: string;
  /** Holds an entry until it is released or this process ends. `make` fills a new folder where there is no such entry. */
  hold(
    name: string,
    make: (draft: string) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<FileLock>;
  /**
   * Removes what was used longest ago until at most `limit` bytes are taken; gives the names. `isNeeded`: whether something
   * besides a holder needs an entry, which stays then.
   */
  evict(limit: number, isNeeded?: (name: string) => Promise<boolean>): Promise<readonly string[]>;
}

/** The shelf in a folder. Names of entries begin with no dot. */
export function openShelf(folder: string): Shelf {
  // Locks are taken and their files removed by one process at a time: else one could lock a file that is no more.
  const alone = async <Value>(work: () => Promise<Value>, signal?: AbortSignal) => {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return withFileLock(join(folder, '.shelf'), work, signal);
  };
  return {
    folder,

    async hold(name, make, signal) {
      const use = usePath(folder, name);
      const held = await alone(async () => {
        const lock = await lockFile(use, { wait: true, shared: true });
        await utimes(use, new Date(), new Date());
        return lock as FileLock;
      }, signal);
      try {
        await makeOnce(join(folder, name), join(folder, `.draft-${name}`), make, signal);
        return held;
      } catch (error) {
        await held.release();
        throw error;
      }
    },

    evict: async (limit, isNeeded = async () => false) => {
      await removeAside(folder);
      return evictOldest(limit, {
        size: () => sizeOf(folder),
        entries: () => entriesOf(folder),
        remove: async (name) => {
          if (await isNeeded(name)) return false;
          const gone = await alone(() => putAside(folder, name, isNeeded));
          if (gone) await removeAside(folder);
          return gone;
        },
      });
    },
  };
}

const aside = '.evicted-';

function usePath(folder: string, name: string): string {
  return join(folder, `.use-${name}`);
}

/** Whoever comes second waits for the first. A draft that is there was left by a process that was killed. */
async function makeOnce(
  path: string,
  draft: string,
  make: (draft: string) => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (await exists(path)) return;
  const work = async () => {
    if (await exists(path)) return;
    await removeStepFolder(draft);
    await mkdir(draft, { mode: 0o700 });
    await make(draft);
    await rename(draft, path);
  };
  await withFileLock(`${draft}.lock`, work, signal);
}

/** Only its name has to change while others wait. */
async function putAside(
  folder: string,
  name: string,
  isNeeded: (name: string) => Promise<boolean>,
): Promise<boolean> {
  const use = usePath(folder, name);
  await using lock = await lockFile(use, { wait: false });
  if (lock === undefined) return false;
  const [there, away] = [join(folder, name), join(folder, `${aside}${name}`)];
  await rename(there, away);
  // Whoever needs it since we looked sees it gone, or is seen now.
  if (await isNeeded(name)) {
    await rename(away, there);
    return false;
  }
  const locks = [use, join(folder, `.draft-${name}.lock`), join(folder, `${name}.lock`)];
  for (const file of locks) await rm(file, { force: true });
  return true;
}

/** Also what a process left that was killed meanwhile. */
async function removeAside(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => []))
    if (name.startsWith(aside)) await removeStepFolder(join(folder, name));
}

async function entriesOf(folder: string) {
  const found = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const folders = found.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'));
  return Promise.all(
    folders.map(async ({ name }) => {
      const used = await stat(usePath(folder, name)).catch(() => stat(join(folder, name)));
      return { name, lastUsed: used.mtimeMs };
    }),
  );
}

/** What a folder takes on disk, in bytes. */
export async function sizeOf(folder: string): Promise<number> {
  // It may change meanwhile, which du complains about: what it counted counts.
  const du = ['du', '-s', '--block-size=1', '--', folder];
  // Some of it belongs to other ids of an ordinary user.
  const { program, args, env } = contained(privilege(), du, { network: false });
  const { stdout } = await run(program, args, { cwd: '/', env });
  return Number.parseInt(stdout.toString(), 10) || 0;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
