import { readFileSync } from 'node:fs';
import { processesOf } from './leftovers.ts';

/** How many steps run that name the folder; `program`: how the command line of a step's program begins. */
export function countSteps(folder: string, program: RegExp): number {
  // A look takes its time: only what two of them saw was there at once.
  const before = stepsOf(folder, program);
  return stepsOf(folder, program).filter((pid) => before.includes(pid)).length;
}

function stepsOf(folder: string, program: RegExp): readonly number[] {
  const pids = processesOf(folder)
    .filter(({ text }) => program.test(text.replace(/^process \d+: /, '')))
    .map(({ pid }) => pid);
  // A process is a copy of its parent for the moment before it becomes another program.
  return pids.filter((pid) => !pids.includes(parentOf(pid)));
}

/** 0 where the process has gone meanwhile. */
function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return 0;
  }
}
