import { readFileSync } from 'node:fs';

/** A process, told from a later one that has its id. */
export interface StartedProcess {
  readonly pid: number;
  /** Start time in clock ticks since boot. */
  readonly started: string;
}

/** What tells a process that runs now. */
export function startedProcess(pid: number): StartedProcess {
  return { pid, started: statusOf(pid)?.started ?? 'never' };
}

/** Whether this very process still runs; one that has ended and waits for its parent does not. */
export function isRunning({ pid, started }: StartedProcess): boolean {
  const status = statusOf(pid);
  return status?.started === started && status.state !== 'Z';
}

/** The only child of a process with one thread; 0 where it has none. */
export function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
}

/** Fields 3 and 22 of /proc/PID/stat (proc(5)): the name before them may hold anything, a `)` too. */
function statusOf(pid: number): { readonly state: string; readonly started: string } | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return { state: fields[0] ?? '', started: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}
