import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  childOf,
  isRunning,
  type StartedProcess,
  startedProcess,
} from '../../examples/started-process.ts';
import { makeControlGroup, removeControlGroup } from './control-group.ts';
import { addresses, cable, type Places, placesOf, pointer } from './places.ts';

/**
 * The cluster's only node: namespaces for processes, mounts and network of their own. Whatever the cluster starts, mounts,
 * bridges or routes lives in them, and goes with their first process: the kernel sees to it.
 */
export interface Node {
  /** The folder of the cluster. */
  readonly folder: string;
  /** `unshare`, whose only child is the first process of the namespaces, and ends with it. */
  readonly keeper: StartedProcess;
}

/** The node that runs on this machine, whoever started it. */
export function runningNode(): Node | undefined {
  if (!existsSync(pointer)) return undefined;
  const node = JSON.parse(readFileSync(pointer, 'utf8')) as Node;
  return isRunning(node.keeper) ? node : undefined;
}

/** Whether the start of a node came to its end; if not, it is of no use. */
export function isWhole(node: Node): boolean {
  return existsSync(join(placesOf(node.folder).run, 'plugged-in'));
}

/** Starts the node; what is left of an earlier one is gone then. */
export async function startNode(places: Places): Promise<Node> {
  await stopNode();
  rmSync(places.run, { recursive: true, force: true });
  for (const name of ['logs', 'host-run', 'host-log', 'host-cni'])
    mkdirSync(join(places.run, name), { recursive: true });
  makeControlGroup();

  const log = openSync(join(places.logs, 'node.log'), 'a');
  const namespaces = ['--mount', '--net', '--pid', '--fork', '--kill-child'];
  const shell = ['sh', '-euc', firstProcess, 'sh', places.run];
  const child = spawn('unshare', [...namespaces, '--propagation', 'private', '--', ...shell], {
    detached: true,
    stdio: ['ignore', log, log],
  });
  child.unref();
  // Known to the machine before anything else can go wrong.
  const node = { folder: places.folder, keeper: startedProcess(child.pid ?? 0) };
  writeFileSync(pointer, JSON.stringify(node));
  await firstProcessReady(places);
  plugIn(firstPid(node));
  writeFileSync(join(places.run, 'plugged-in'), '');
  return node;
}

/** Ends the node with all that runs on it, and removes what the kernel does not. */
export async function stopNode(): Promise<void> {
  const node = runningNode();
  if (node) {
    const first = startedProcess(firstPid(node));
    process.kill(node.keeper.pid, 'SIGKILL');
    // It ends after everything else on the node.
    while (isRunning(first)) await sleep(20);
    // The kernel would do it, too, a moment later.
    spawnSync('ip', ['link', 'delete', cable]);
  }
  removeControlGroup();
  rmSync(pointer, { force: true });
}

/** The command line that runs a program on the node. */
export function onNode(node: Node, program: string, args: readonly string[]): [string, string[]] {
  const enter = ['--target', String(firstPid(node)), '--mount', '--net', '--pid'];
  return ['nsenter', [...enter, '--', program, ...args]];
}

// Kubernetes, containerd and CNI keep things at fixed places of the machine: these are the node's own. The loop takes
// in orphans, as the first process must.
const firstProcess = `
  mount -t proc proc /proc
  mount --make-rshared /
  mount --bind "$1/host-run" /run
  mount --bind "$1/host-log" /var/log
  mkdir -p /var/lib/cni && mount --bind "$1/host-cni" /var/lib/cni
  ip link set lo up
  touch "$1/node-ready"
  while :; do sleep 3600 & wait $!; done
`;

/** Connects node and host. There is no other way out of the node: pods reach the host, and nothing beyond it. */
function plugIn(pid: number): void {
  const { node, host, services, pods } = addresses;
  const ip = (...args: string[]) => execFileSync('ip', args);
  const inside = (...args: string[]) =>
    execFileSync('nsenter', ['--target', String(pid), '--net', '--', 'ip', ...args]);
  ip('link', 'add', cable, 'type', 'veth', 'peer', 'name', 'uplink', 'netns', String(pid));
  ip('address', 'add', `${host}/30`, 'dev', cable);
  ip('link', 'set', cable, 'up');
  inside('address', 'add', `${node}/30`, 'dev', 'uplink');
  inside('link', 'set', 'uplink', 'up');
  // A route, so that packets to a Service are sent at all: kube-proxy leads them elsewhere.
  inside('link', 'add', 'services', 'type', 'bridge');
  inside('link', 'set', 'services', 'up');
  inside('route', 'add', services, 'dev', 'services', 'src', node);
  for (const network of [services, pods]) ip('route', 'add', network, 'via', node, 'dev', cable);
}

/** The first process of the namespaces, as the host knows it; 0 where unshare did not get so far. */
function firstPid({ keeper: { pid } }: Node): number {
  return childOf(pid);
}

async function firstProcessReady({ run, logs }: Places): Promise<void> {
  for (const began = Date.now(); !existsSync(join(run, 'node-ready')); await sleep(10)) {
    if (Date.now() - began < 5000) continue;
    throw new Error(`the node's namespaces are not there: ${readFileSync(join(logs, 'node.log'))}`);
  }
}
