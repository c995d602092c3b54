import { readdirSync, readFileSync } from 'node:fs';

/** A process as /proc shows it. */
export interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  readonly threads: number;
}

/** Processes whose parent is `parent`. */
export function childrenOf(parent: number): readonly ProcessFacts[] {
  return allProcesses().filter((one) => one.parent === parent);
}

/** A process's descendants; inside a PID namespace none can leave the tree of the namespace's first process. */
export function descendantsOf(ancestor: number): readonly ProcessFacts[] {
  const children = Map.groupBy(allProcesses(), ({ parent }) => parent);
  const found: ProcessFacts[] = [];
  for (const pending = [ancestor]; pending.length > 0; ) {
    for (const child of children.get(pending.pop() as number) ?? []) {
      found.push(child);
      pending.push(child.pid);
    }
  }
  return found;
}

/** Bytes of memory that processes have mapped and in use; what several share is counted once. */
export function memoryOf(processes: readonly ProcessFacts[]): number {
  return processes.reduce((sum, { pid }) => {
    const rollup = readOrEmpty(`/proc/${pid}/smaps_rollup`);
    return sum + Number(/^Pss: +(\d+) kB$/m.exec(rollup)?.[1] ?? 0) * 1024;
  }, 0);
}

function allProcesses(): ProcessFacts[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      // `PID (name) STATE PPID …`: the name may hold anything, parentheses too. See proc(5).
      const stat = readOrEmpty(`/proc/${name}/stat`);
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (fields.length < 18) return [];
      return [{ pid: Number(name), parent: Number(fields[1]), threads: Number(fields[17]) }];
    });
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Gone between the look and the reading.
    return '';
  }
}
