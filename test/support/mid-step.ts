import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A step in the middle of its work. */
export interface MidStep {
  /** Of its own process, as this machine counts. */
  readonly pid: number;
  readonly step: string;
  readonly kind: string;
}

/** The kinds of steps, in the order in which a build comes to them. */
export const stepKinds = [
  ...['prepare', 'payload', 'image', 'manifests', 'operator-payload', 'bundle', 'index', 'verify'],
  'report',
] as const;

/**
 * Waits until a step that `isIt` works below a service; undefined where `over` settles first. A process has a folder for each of its
 * steps only while that step works.
 */
export async function midStep(
  service: number,
  isIt: (step: MidStep) => boolean,
  over: Promise<unknown>,
): Promise<MidStep | undefined> {
  let ended = false;
  void over.finally(() => {
    ended = true;
  });
  while (!ended) {
    const found = descendants(service).flatMap(stepsOf).find(isIt);
    if (found !== undefined) return found;
    await sleep(2);
  }
  return undefined;
}

/** The processes below one whose program is called `name`. */
export function programsBelow(pid: number, name: string): number[] {
  return descendants(pid).filter((below) => read(`/proc/${below}/comm`).trim() === name);
}

function stepsOf(pid: number): MidStep[] {
  const words = read(`/proc/${pid}/cmdline`).split('\0');
  if (!/\/node$/.test(words[0] ?? '') || !words.includes('step')) return [];
  return list(`/proc/${pid}/cwd`)
    .map((folder) => folder.replaceAll('~', '/'))
    .map((step) => ({ pid, step, kind: step.split('/')[0] ?? '' }))
    .filter(({ kind }) => kind === 'makefile' || stepKinds.some((known) => known === kind));
}

function descendants(pid: number): number[] {
  const children = list(`/proc/${pid}/task`).flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
  return children.flatMap((child) => [child, ...descendants(child)]);
}

/** Empty where the process has gone meanwhile. */
function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
