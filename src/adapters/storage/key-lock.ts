import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { MakeAlone } from '../../steps/step.ts';
import { lockFile } from './file-lock.ts';

/**
 * Among all processes on one state folder, one makes what a reference stands for, and the others wait; a process that
 * dies waits and holds up no longer. What two machines make at once, the registry decides.
 */
export function createMakeAlone(state: string, signal: AbortSignal): MakeAlone {
  const folder = join(state, 'locks');
  return async (reference, waiting, work) => {
    await mkdir(folder, { recursive: true });
    const file = join(folder, createHash('sha256').update(reference).digest('hex'));
    const free = await lockFile(file, { wait: false, signal });
    if (free === undefined) waiting();
    await using _lock = free ?? (await lockFile(file, { wait: true, signal }));
    return await work();
  };
}
