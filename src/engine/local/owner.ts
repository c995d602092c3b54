import { readFileSync } from 'node:fs';

/**
 * Who runs a build: a process and one engine in it, as text that no later process shares (process
 * ids come again, their start times do not, and a boot begins a new count).
 */
export interface Owner {
  readonly id: string;
  /** This engine stopped: what it owned is free. */
  release(): void;
}

const living = new Set<string>();
let engines = 0;

/** Makes this engine an owner until `release` or the end of the process. */
export function registerOwner(): Owner {
  engines += 1;
  const id = `${process.pid}-${startTime(process.pid)}-${bootId()}-${engines}`;
  living.add(id);
  return { id, release: () => void living.delete(id) };
}

/** Whether the engine that `owner` names still runs, in this process or another of this machine. */
export function isAlive(owner: string): boolean {
  const parts = /^(\d+)-(\d+)-([0-9a-f]+)-\d+$/.exec(owner);
  if (parts === null || parts[3] !== bootId()) return false;
  if (Number(parts[1]) === process.pid) return living.has(owner);
  return startTime(Number(parts[1])) === parts[2];
}

/** Whether a text is an owner's id, alive or not. */
export function isOwnerId(text: string): boolean {
  return /^\d+-\d+-[0-9a-f]+-\d+$/.test(text);
}

/** Clock ticks between boot and the start of a process: field 22 of proc(5) stat; '0' where it is gone. */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name (field 2) may hold spaces and parentheses: count from its end.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '0';
  } catch {
    return '0';
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')
    .trim()
    .replaceAll('-', '')
    .slice(0, 8);
}
