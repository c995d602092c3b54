import { statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import type { Configuration } from '../../config/config.ts';
import { run } from '../processes/command.ts';
import type { ControlGroups, GroupLimits } from '../processes/control-groups.ts';
import { descendantsOf, memoryOf } from '../processes/process-tree.ts';
import { contained, ownsByNamespace, type Privilege } from '../processes/sandbox.ts';

/** What one container build may use at most. */
export interface BuildLimits extends GroupLimits {
  /** Bytes on disk. */
  readonly disk: number;
}

/** A limit that a build has met. */
export interface MetLimit {
  readonly limit: keyof BuildLimits;
  /** What it was allowed: bytes, or a number of processes. */
  readonly allowed: number;
  /** True: it was allowed less than the configuration says, because the disk holds no more. */
  readonly scarce: boolean;
}

/** The limits that a configuration sets, or that are usual. */
export function limitsOf(
  { limits }: Pick<Configuration, 'limits'>,
  privilege: Privilege,
): BuildLimits {
  const { sandbox } = limits;
  const memory = sandbox['memory-mib'];
  return {
    memory: memory === undefined ? machineMemory() / 2 : memory * 2 ** 20,
    // Nodes that limit pods usually allow 4096, in which others have to fit as well.
    processes: sandbox.processes ?? (privilege === 'pod' ? 2048 : 4096),
    disk: sandbox['disk-mib'] * 2 ** 20,
  };
}

/** Of the machine, or of the container that we are in. */
function machineMemory(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

export interface WatchOptions {
  readonly limits: BuildLimits;
  readonly groups: ControlGroups;
  readonly privilege: Privilege;
  /** Folders on one disk in which it writes. */
  readonly folders: readonly string[];
}

/** Looks at what a build uses until it is disposed of. */
export interface LimitWatch extends Disposable {
  /** Aborted when a limit is met. */
  readonly signal: AbortSignal;
  /** The limit that was met; looks once more, so that a build that is over by then is judged, too. Throws where a look failed. */
  met(): Promise<MetLimit | undefined>;
  /** The process whose descendants are the build. */
  follow(pid: number): void;
}

/** Milliseconds between two looks. */
const period = 250;

/**
 * Watches a build: what the kernel counted in its control groups; where there are none, its processes and their
 * memory; and the disk, which no group knows.
 */
export async function watchLimits(options: WatchOptions): Promise<LimitWatch> {
  const { groups } = options;
  const disk = await watchDisk(options);
  const stop = new AbortController();
  let found: MetLimit | undefined;
  let pid: number | undefined;
  const meets = (limit: keyof GroupLimits): MetLimit => ({
    ...{ limit, allowed: options.limits[limit], scarce: false },
  });
  const look = async (anyway: boolean): Promise<MetLimit | undefined> => {
    const limit = (await groups.met()) ?? (pid && overLimit(pid, options));
    return limit ? meets(limit) : disk.look(anyway);
  };
  let looking = Promise.resolve();
  const check = async (anyway: boolean) => {
    found ??= await look(anyway);
    if (found !== undefined) stop.abort();
  };
  const clock = setInterval(() => {
    looking = looking.then(() => (stop.signal.aborted ? undefined : check(false)));
    // Who asks what was met hears of it.
    looking.catch(() => stop.abort());
  }, period);
  return {
    signal: stop.signal,
    follow: (started) => {
      pid = started;
    },
    met: async () => {
      clearInterval(clock);
      await looking;
      await check(true);
      return found;
    },
    [Symbol.dispose]: () => clearInterval(clock),
  };
}

/** A limit that no control group holds, and that the processes below `pid` are over. */
function overLimit(pid: number, { groups, limits }: WatchOptions): keyof GroupLimits | undefined {
  if (groups.holds.has('memory') && groups.holds.has('processes')) return undefined;
  const processes = descendantsOf(pid);
  const tasks = processes.reduce((sum, { threads }) => sum + threads, 0);
  if (!groups.holds.has('processes') && tasks >= limits.processes) return 'processes';
  return !groups.holds.has('memory') && memoryOf(processes) > limits.memory ? 'memory' : undefined;
}

/** Looks at the disk as often as it costs little: after ten times as long as the last look took. */
async function watchDisk({ limits, folders, privilege }: WatchOptions) {
  const { bavail, bsize } = await statfs(folders[0] ?? '/');
  // Each build may take half of what those before it left: however many there are, the disk does not fill.
  const half = Math.floor((bavail * bsize) / 2);
  const allowed = Math.min(limits.disk, half);
  let next = 0;
  return {
    async look(anyway: boolean): Promise<MetLimit | undefined> {
      const begun = performance.now();
      if (begun < next && !anyway) return undefined;
      const used = await diskUsage(folders, privilege);
      const took = performance.now() - begun;
      next = begun + Math.min(30_000, Math.max(500, 10 * took));
      if (used <= allowed) return undefined;
      return { limit: 'disk', allowed, scarce: allowed < limits.disk };
    },
  };
}

/** Bytes on disk below folders; a file counts as at least 4 KiB, for a disk can run out of names, too. */
async function diskUsage(folders: readonly string[], privilege: Privilege): Promise<number> {
  let used = 0;
  let rest = '';
  const find = ['find', ...folders, '-xdev', '-printf', '%b\\n'];
  // Files of an image belong to other ids of an ordinary user: only root of the namespace sees them all.
  const { program, args, env } = ownsByNamespace(privilege)
    ? contained(privilege, find, { network: false })
    : { program: 'find', args: find.slice(1), env: {} };
  await run(program, args, {
    ...{ cwd: '/', env, maxOutput: 0 },
    onOutput: (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      // What vanished while it looked is a message instead of a number.
      for (const blocks of lines) used += Math.max(4096, (Number(blocks) || 0) * 512);
    },
  });
  return used;
}
