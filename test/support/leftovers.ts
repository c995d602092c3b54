import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * What is there of work on a state folder that no longer goes on: processes (with `service`: but that one, its helpers
 * that hold no step, and the process that waits for the next build), mounts of the machine, folders for the time of a step or of a container build, control groups.
 */
export function leftovers(state: string, service?: number): string[] {
  const name = basename(state);
  const inside = (...path: string[]) => {
    const folder = join(state, ...path);
    return existsSync(folder) ? readdirSync(folder).map((entry) => join(...path, entry)) : [];
  };
  const spare = service === undefined ? undefined : spareFolder(name);
  return [
    ...processesOf(name)
      .filter(({ pid }) => pid !== service && !holdsLock(pid, service))
      .filter(({ pid }) => spare === undefined || link(`/proc/${pid}/cwd`) !== spare)
      .map(({ text }) => text),
    ...lines('/proc/self/mountinfo').filter((line) => line.includes(name)),
    // An engine keeps an empty folder of its own while it lives.
    ...inside('tmp')
      .flatMap((owner) => inside(owner))
      .filter((path) => join(state, path) !== spare),
    ...inside('storage').filter((path) => !['storage/bases', 'storage/builds'].includes(path)),
    ...inside('storage', 'builds'),
    ...inside('temporary'),
  ];
}

/** Whether a process only holds a lock for the service itself, as it does on a mirror for a while after a request. */
function holdsLock(pid: number, service: number | undefined): boolean {
  const isCat = read(`/proc/${pid}/cmdline`) === 'cat\0';
  return isCat && new RegExp(`^PPid:\\s${service}$`, 'm').test(read(`/proc/${pid}/status`));
}

/** The folder of the process that waits for the next build, in which there is nothing; undefined where more than one waits. */
function spareFolder(name: string): string | undefined {
  const waiting = processesOf(name)
    .filter(({ command }) => command.includes(' step --wait '))
    .map(({ pid }) => link(`/proc/${pid}/cwd`));
  const [folder, ...others] = new Set(waiting);
  if (folder === undefined || others.length > 0 || !existsSync(folder)) return undefined;
  return readdirSync(folder).length === 0 ? folder : undefined;
}

/** Waits for {@link leftovers} to be gone, and gives those that are not after `seconds`. */
export async function leftoversAfter(
  seconds: number,
  state: string,
  service?: number,
): Promise<string[]> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const left = leftovers(state, service);
    if (left.length === 0 || Date.now() > end) return left;
    await sleep(50);
  }
}

/** Processes that name the folder, work in it, or see a mount of it: also from within a container that hides its paths. */
export function processesOf(
  name: string,
): { readonly pid: number; readonly command: string; readonly text: string }[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .flatMap((pid) => {
      const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
      const signs = [command, link(`/proc/${pid}/cwd`), read(`/proc/${pid}/mountinfo`)];
      if (!signs.some((sign) => sign.includes(name))) return [];
      const text = `process ${pid}: ${command.slice(0, 200)}`;
      return [{ pid: Number(pid), command, text }];
    });
}

function lines(file: string): string[] {
  return read(file).split('\n');
}

/** Empty where the process has gone meanwhile. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function link(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}
