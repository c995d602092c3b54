import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('./sandbox.sh', import.meta.url));

/** Exit code of a sandbox that could not be made, as opposed to a command in it that failed. */
export const sandboxFailed = 99;

/**
 * What we may do on this machine. `root`: everything. `user`: an ordinary user, who becomes root of a new
 * user namespace with the ids of /etc/subuid. `namespaced`: root of a user namespace already. `pod`: the same in a container (`inOwnNamespace` in
 * src/steps/task-input.ts), or root of a container in name alone: it makes a further namespace for each command, with the same ids.
 */
export type Privilege = 'root' | 'user' | 'namespaced' | 'pod';

/** The privilege of this process. */
export function privilege(): Privilege {
  if (process.getuid?.() !== 0) return 'user';
  if (inNamespaceOfPods() || !mayMount()) return 'pod';
  return ownIds() === '0 0 4294967295' ? 'root' : 'namespaced';
}

/** Whether we were started by {@link inOwnNamespace}, so that the kernel counts the processes of our root. */
export function inNamespaceOfPods(): boolean {
  return ownIds() === '0 1 65535';
}

function ownIds(): string {
  return readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/).join(' ');
}

function mayMount(): boolean {
  const [, capabilities = '0'] =
    /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return (BigInt(`0x${capabilities}`) & administration) !== 0n;
}

/** CAP_SYS_ADMIN; see capabilities(7). */
const administration = 1n << 21n;

/** Whether files of images belong to ids that only a {@link contained} command may touch. */
export function ownsByNamespace(privilege: Privilege): boolean {
  return privilege === 'user' || privilege === 'pod';
}

/** A command and its environment. */
export interface CommandLine {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The command in PID, mount, IPC and host name namespaces of its own: its processes and mounts end with it,
 * and it ends with us, however we end. It sees all folders of the machine.
 */
export function contained(
  privilege: Privilege,
  command: readonly string[],
  options: { readonly network: boolean },
): CommandLine {
  const namespaces = ['--mount', '--pid', '--ipc', '--uts', '--fork', '--kill-child'];
  return {
    // The parent death signal must come before unshare: --kill-child alone does not see us die.
    program: 'setpriv',
    args: [
      '--pdeathsig',
      'KILL',
      'unshare',
      ...(ownsByNamespace(privilege) ? ['--user', '--map-root-user'] : []),
      ...(privilege === 'user' ? ['--map-auto'] : []),
      ...(privilege === 'pod' ? containerIds : []),
      ...namespaces,
      // Where a container hides parts of /proc, the kernel lets nobody in it have a whole one: there it stays that of the container.
      ...(privilege === 'pod' ? [] : ['--mount-proc']),
      ...(options.network ? [] : ['--net']),
      ...command,
    ],
    env: storageEnvironment(privilege),
  };
}

/** The same ids inside as outside. */
const containerIds = ['--map-users', '1,1,65534', '--map-groups', '1,1,65534'];

/**
 * Whether the last words of a {@link contained} command are those of an `unshare` whose command was killed: up to util-linux 2.41 it
 * tries to end by the same signal, fails for SIGKILL, and ends with 1.
 */
export function wasKilled(exitCode: number, words: string): boolean {
  return exitCode === 137 || (exitCode === 1 && killedWords.test(words));
}

const killedWords = /unshare: sigprocmask unblock failed[^\n]*\s*$/;

/** What a sandbox shows, and its own folders. */
export interface Sandbox {
  readonly network: boolean;
  /** An empty folder that becomes its root. */
  readonly root: string;
  /** The folder that becomes its /etc. */
  readonly etc: string;
  /** Folders and files that it sees at the same place. */
  readonly readOnly: readonly string[];
  readonly writable: readonly string[];
  /** `cgroup.procs` files of control groups that it joins, and does not see. */
  readonly join: readonly string[];
  /** Folders of the sandbox that are stacks of others, which it does not see. */
  readonly overlays?: readonly Overlay[];
}

/** Folders on top of each other; what is written goes to `upper`. All paths are relative to `folder`, and plain. */
export interface Overlay {
  /** Where the sandbox sees it: absolute, and below a writable folder. */
  readonly at: string;
  readonly folder: string;
  /** The topmost first. */
  readonly lowers: readonly string[];
  readonly upper: string;
  /** Empty, on the file system of `upper`. */
  readonly work: string;
}

/** The command, {@link contained}, and in a root folder that shows nothing else of the machine. */
export function sandboxed(
  privilege: Privilege,
  command: readonly string[],
  sandbox: Sandbox,
): CommandLine {
  const mode = privilege === 'namespaced' ? 'user' : privilege;
  const shown = [
    ...sandbox.readOnly.map((path) => `ro:${path}`),
    ...sandbox.writable.map((path) => `rw:${path}`),
    ...sandbox.join.map((path) => `in:${path}`),
    ...(sandbox.overlays ?? []).flatMap((overlay) => [
      ...['overlay', overlay.at, overlay.folder, overlayOptions(overlay, mode)],
    ]),
  ];
  const setup = ['sh', script, mode, sandbox.root, sandbox.etc, ...shown, '--', ...command];
  return contained(privilege, sandbox.network ? setup : withLoopback(setup), sandbox);
}

function overlayOptions({ lowers, upper, work }: Overlay, mode: string): string {
  const layers = `lowerdir=${lowers.join(':')},upperdir=${upper},workdir=${work}`;
  // In a user namespace the kernel keeps its marks in attributes that a user may set.
  return mode === 'root' ? layers : `${layers},userxattr`;
}

/** Sets up `lo` first: programs in a build may talk to themselves. */
function withLoopback(command: readonly string[]): readonly string[] {
  return ['sh', '-c', 'ip link set lo up || exit 99; exec "$@"', 'sh', ...command];
}

/**
 * What tells buildah's storage library that it is root of a user namespace: without it, it would ask the
 * kernel for what only real root may.
 */
function storageEnvironment(privilege: Privilege): Record<string, string> {
  if (privilege === 'root') return {};
  const uid = String(process.getuid?.() || 1000);
  const gid = String(process.getgid?.() || 1000);
  return {
    _CONTAINERS_USERNS_CONFIGURED: 'done',
    _CONTAINERS_ROOTLESS_UID: uid,
    _CONTAINERS_ROOTLESS_GID: gid,
  };
}
