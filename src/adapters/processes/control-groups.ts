import { constants } from 'node:fs';
import { access, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** What the kernel holds a build to, by a group of processes. */
export interface GroupLimits {
  /** Bytes, with files in memory and the page cache. */
  readonly memory: number;
  /** Processes and threads. */
  readonly processes: number;
}

/** The control groups of one build; some or all are missing where we may make none. */
export interface ControlGroups {
  /** Folders that were made, for {@link removeControlGroups}. */
  readonly folders: readonly string[];
  /** `cgroup.procs` files: a process joins by writing `0` to them. */
  readonly join: readonly string[];
  /** Limits that are held. */
  readonly holds: ReadonlySet<keyof GroupLimits>;
  /** The limit that the build has met, as the kernel counts. */
  met(): Promise<keyof GroupLimits | undefined>;
}

/** Those of nobody. */
export const noGroups: ControlGroups = {
  ...{ folders: [], join: [], holds: new Set() },
  met: async () => undefined,
};

const mount = '/sys/fs/cgroup';

/**
 * Makes the control groups of a build: version 2 beside our own group (or in it, where it delegates), version 1
 * below it. An ordinary user may do so only where a service manager delegated a group to them.
 */
export async function makeControlGroups(name: string, limits: GroupLimits): Promise<ControlGroups> {
  const own = await ownGroups();
  const unified = await exists(join(mount, 'cgroup.controllers'));
  const groups = unified
    ? [await firstOf(unifiedPlaces(own), (place) => makeUnified(join(place, name), limits))]
    : await Promise.all([
        firstOf(places(own, 'memory'), (place) => makeMemory(join(place, name), limits)),
        firstOf(places(own, 'pids'), (place) => makePids(join(place, name), limits)),
      ]);
  const made = groups.filter((group) => group !== undefined);
  return {
    folders: made.map(({ folder }) => folder),
    join: made.map(({ leaf }) => join(leaf, 'cgroup.procs')),
    holds: new Set(made.flatMap(({ holds }) => holds)),
    met: () => met(made, limits),
  };
}

interface Group {
  readonly folder: string;
  /** The group that processes join. */
  readonly leaf: string;
  readonly holds: readonly (keyof GroupLimits)[];
}

/** Hierarchy (`memory`, `pids`, …; `` for version 2) → our own group in it. */
async function ownGroups(): Promise<ReadonlyMap<string, string>> {
  const lines = (await readFile('/proc/self/cgroup', 'utf8').catch(() => '')).trim().split('\n');
  return new Map(
    lines.flatMap((line) => {
      const [, names = '', ...path] = line.split(':');
      return names.split(',').map((name) => [name, path.join(':')] as const);
    }),
  );
}

/** In a container the hierarchy may show our group as its root. */
function places(own: ReadonlyMap<string, string>, controller: string): string[] {
  return [own.get(controller) ?? '/', '/'].map((path) => join(mount, controller, path));
}

function unifiedPlaces(own: ReadonlyMap<string, string>): string[] {
  const path = own.get('') ?? '/';
  return [path, dirname(path)].map((place) => join(mount, place));
}

async function firstOf(
  candidates: readonly string[],
  make: (place: string) => Promise<Group>,
): Promise<Group | undefined> {
  for (const place of new Set(candidates)) {
    try {
      return await make(place);
    } catch {
      // Not ours to make, or without the controllers: another place, or none.
    }
  }
  return undefined;
}

/**
 * Processes live in a group inside: the runtime makes its own beside it, and a group with processes may not
 * hand controllers on.
 */
async function makeUnified(folder: string, { memory, processes }: GroupLimits): Promise<Group> {
  await access(join(dirname(folder), 'cgroup.procs'), constants.W_OK);
  await mkdir(folder);
  try {
    await setLimit(folder, 'memory.max', memory);
    await setLimit(folder, 'pids.max', processes);
    await setLimit(folder, 'memory.swap.max', 0).catch(() => {});
    const leaf = join(folder, 'build');
    await mkdir(leaf);
    return { folder, leaf, holds: ['memory', 'processes'] };
  } catch (error) {
    await removeGroup(folder);
    throw error;
  }
}

async function makeMemory(folder: string, { memory }: GroupLimits): Promise<Group> {
  await mkdir(folder);
  try {
    await setLimit(folder, 'memory.limit_in_bytes', memory);
    // Memory and swap together: only where the kernel counts swap.
    await setLimit(folder, 'memory.memsw.limit_in_bytes', memory).catch(() => {});
    return { folder, leaf: folder, holds: ['memory'] };
  } catch (error) {
    await removeGroup(folder);
    throw error;
  }
}

async function makePids(folder: string, { processes }: GroupLimits): Promise<Group> {
  await mkdir(folder);
  try {
    await setLimit(folder, 'pids.max', processes);
    return { folder, leaf: folder, holds: ['processes'] };
  } catch (error) {
    await removeGroup(folder);
    throw error;
  }
}

/** A group without the controller has no such file, and makes none. */
async function setLimit(folder: string, file: string, value: number): Promise<void> {
  await writeFile(join(folder, file), String(value), { flag: 'r+' });
}

async function met(
  groups: readonly Group[],
  { processes }: GroupLimits,
): Promise<keyof GroupLimits | undefined> {
  for (const { folder } of groups) {
    for (const file of ['memory.events', 'memory.oom_control'])
      if ((await count(join(folder, file), /^oom_kill (\d+)$/m)) > 0) return 'memory';
    if ((await count(join(folder, 'pids.events'), /^max (\d+)$/m)) > 0) return 'processes';
    // Older kernels count the event in the group below, which may be gone.
    if ((await count(join(folder, 'pids.current'), /^(\d+)$/m)) >= processes) return 'processes';
  }
  return undefined;
}

async function count(file: string, pattern: RegExp): Promise<number> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return Number(pattern.exec(text)?.[1] ?? 0);
}

/** Removes groups of a build that has ended, and those of its name that the container runtime left. */
export async function removeControlGroups(name: string, folders: readonly string[]): Promise<void> {
  for (const folder of folders) if (basename(folder) === name) await removeGroup(folder);
  const own = new Set([...(await ownGroups()).values(), '/']);
  const hierarchies = await readdir(mount).catch(() => []);
  for (const hierarchy of ['', ...hierarchies])
    for (const path of own) await removeGroup(join(mount, hierarchy, path, name));
}

/** Groups are folders that outlive their processes where the runtime was killed. */
async function removeGroup(path: string): Promise<void> {
  const inner = await readdir(path, { withFileTypes: true }).catch(() => undefined);
  if (inner === undefined) return;
  for (const entry of inner) if (entry.isDirectory()) await removeGroup(join(path, entry.name));
  // Its processes were killed a moment ago; the group is busy until the kernel has buried them.
  for (let attempt = 0; attempt < 40; attempt++) {
    const error = await rmdir(path).then(
      () => undefined,
      (thrown: NodeJS.ErrnoException) => thrown,
    );
    if (error?.code !== 'EBUSY') return;
    await sleep(50);
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
