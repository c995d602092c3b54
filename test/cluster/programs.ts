import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startProgram } from '../../examples/demo-environment.ts';
import {
  childOf,
  isRunning,
  type StartedProcess,
  startedProcess,
} from '../../examples/started-process.ts';
import { type Node, onNode } from './node.ts';
import { placesOf } from './places.ts';

/** A program that runs as long as the cluster does. */
export interface Program {
  /** Also of its log: `<run>/logs/NAME.log`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

/** Starts a program on the node, unless it runs already. */
export function startOnNode(node: Node, program: Program): void {
  const { logs } = placesOf(node.folder);
  if (runs(node, program.name)) return;
  const child = startProgram(logs, program.name, ...onNode(node, program.command, program.args));
  writeFileSync(recordOf(node, program.name), JSON.stringify(startedProcess(child.pid ?? 0)));
}

/** Ends a program at once, as the kernel would; `make cluster` starts it again. */
export async function killOnNode(node: Node, name: string): Promise<void> {
  const keeper = JSON.parse(readFileSync(recordOf(node, name), 'utf8')) as StartedProcess;
  // nsenter, which ends with the program that it entered the node with.
  process.kill(childOf(keeper.pid), 'SIGKILL');
  while (isRunning(keeper)) await sleep(10);
}

/** Waits until a program does its work; throws with the end of its log where it ends or takes too long. */
export async function until(
  node: Node,
  name: string,
  works: () => Promise<boolean> | boolean,
): Promise<void> {
  const most = 60_000;
  for (const began = Date.now(); !(await works()); await sleep(100)) {
    if (runs(node, name) && Date.now() - began < most) continue;
    const log = join(placesOf(node.folder).logs, `${name}.log`);
    throw new Error(`${name} does not work. ${log} ends with:\n${readFileSync(log).slice(-3000)}`);
  }
}

function runs(node: Node, name: string): boolean {
  const record = recordOf(node, name);
  if (!existsSync(record)) return false;
  return isRunning(JSON.parse(readFileSync(record, 'utf8')) as StartedProcess);
}

function recordOf({ folder }: Node, name: string): string {
  return join(placesOf(folder).run, `${name}.process.json`);
}
