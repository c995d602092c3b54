import { readdirSync, readFileSync } from 'node:fs';

/**
 * Calls `give up` when the processes of a group have neither moved a byte nor computed for so many milliseconds: a
 * program that waits for a server that is gone. The function returned ends the watch.
 */
export function watchIdle(group: number, milliseconds: number, giveUp: () => void): () => void {
  const interval = milliseconds / 6;
  // Waking up now and then is no work.
  const noticeable = (interval / 1000) * ticksPerSecond * 0.05;
  let last = activityOf(group);
  let quiet = 0;
  const timer = setInterval(() => {
    const now = activityOf(group);
    const busy = now.bytes !== last.bytes || now.ticks - last.ticks > noticeable;
    quiet = busy ? 0 : quiet + 1;
    last = now;
    if (quiet < 6) return;
    clearInterval(timer);
    giveUp();
  }, interval);
  return () => clearInterval(timer);
}

const ticksPerSecond = 100;

interface Activity {
  /** Read and written, also through pipes and sockets. */
  readonly bytes: number;
  /** Of processors, in clock ticks. */
  readonly ticks: number;
}

function activityOf(group: number): Activity {
  let bytes = 0;
  let ticks = 0;
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const stat = read(`/proc/${pid}/stat`);
    // The name (field 2) may hold spaces and parentheses: count from its end.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(fields[2]) !== group) continue;
    ticks += Number(fields[11]) + Number(fields[12]);
    for (const [, count] of read(`/proc/${pid}/io`).matchAll(/^[rw]char: (\d+)$/gm))
      bytes += Number(count);
  }
  return { bytes, ticks };
}

/** Empty where the process has gone meanwhile. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
