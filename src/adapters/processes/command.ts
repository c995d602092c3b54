import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { FailureError } from '../../builds/failure.ts';
import { TailBuffer } from '../../steps/tail-buffer.ts';
import { hideSecrets } from './hide-secrets.ts';
import { watchIdle } from './idle.ts';

interface ProcessOptions {
  readonly cwd: string;
  /** The whole environment besides PATH, HOME, TMPDIR and LANG=C.UTF-8 (which it may replace). */
  readonly env?: Readonly<Record<string, string>>;
  /** Variables of our own environment that are passed on where they are set, such as {@link networkVariables}. */
  readonly inherit?: readonly string[];
}

export interface CommandOptions extends ProcessOptions {
  /** What it reads from standard input; default: nothing. */
  readonly input?: string | Uint8Array;
  /** Ends the whole process group; `run` then throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** Milliseconds after which the process group is ended, and `timedOut` is true. Default: none. */
  readonly timeout?: number;
  /** The same, after so many milliseconds in which it moved no byte and did not compute. Default: none. */
  readonly idle?: number;
  /** Milliseconds between SIGTERM and SIGKILL when it is ended; default: 2000. */
  readonly grace?: number;
  /** Bytes kept of stdout (64 MiB unless told), and at most 1 MiB of stderr; of more, the end is kept. */
  readonly maxOutput?: number;
  /** Texts that must not be seen in `stderr`; where given, even empty, credentials in URLs are taken out, too. */
  readonly secrets?: readonly string[];
  /** Ends the process group once the beginning of stdout is lost: `truncated` is then true. */
  readonly endWhenFull?: boolean;
  /** Both streams as text, in pieces as they come, for logs. */
  readonly onOutput?: (text: string, stream: 'stdout' | 'stderr') => void;
  /** Is called once, with the process's id. */
  readonly onStart?: (pid: number) => void;
}

/** How a process ended: `exitCode` is 128 + the signal's number where a signal ended it. */
export interface Exit {
  readonly exitCode: number;
  readonly signal: NodeJS.Signals | null;
}

export interface CommandResult extends Exit {
  readonly stdout: Buffer;
  readonly stderr: string;
  /** True: it was ended because of `timeout` or `idle`. */
  readonly timedOut: boolean;
  /** True: stdout was longer than `maxOutput`, and its beginning is lost. */
  readonly truncated: boolean;
}

/**
 * Runs a program to its end and tells how it ended; whatever it left running is ended with it.
 * Throws FailureError `tool-missing` where there is no such program.
 */
export async function run(
  program: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  options.signal?.throwIfAborted();
  const maxOutput = options.maxOutput ?? 64 * 2 ** 20;
  const stdout = new TailBuffer(maxOutput);
  const stderr = new TailBuffer(Math.min(maxOutput, 2 ** 20));
  const child = await startProcess(program, args, { ...options, stdin: 'pipe' });
  options.onStart?.(child.pid);
  collect(child.stdout, stdout, (text) => {
    options.onOutput?.(text, 'stdout');
    if (options.endWhenFull && stdout.truncated) end();
  });
  collect(child.stderr, stderr, (text) => options.onOutput?.(text, 'stderr'));
  // A program need not read what it is given: EPIPE is no failure, its exit code tells.
  child.stdin?.on('error', () => {}).end(options.input ?? '');

  let timedOut = false;
  const end = () => void child.kill(options.grace);
  const expire = () => {
    timedOut = true;
    end();
  };
  const timer = setTimeout(expire, options.timeout ?? 2 ** 31 - 1);
  const unwatch = options.idle && watchIdle(child.pid, options.idle, expire);
  options.signal?.addEventListener('abort', end, { once: true });
  if (options.signal?.aborted) end();
  const exit = await child.exited;
  clearTimeout(timer);
  if (unwatch) unwatch();
  options.signal?.removeEventListener('abort', end);
  options.signal?.throwIfAborted();
  return {
    ...exit,
    timedOut,
    stdout: stdout.bytes(),
    truncated: stdout.truncated,
    stderr: hidden(stderr.bytes().toString('utf8'), options.secrets),
  };
}

function hidden(text: string, secrets: readonly string[] | undefined): string {
  return secrets === undefined ? text : hideSecrets(text, secrets);
}

export interface StartOptions extends ProcessOptions {
  /** `pipe`: {@link RunningProcess.stdin} writes to it. Default: it reads nothing. */
  readonly stdin?: 'pipe' | 'ignore';
  /** An open file that stdout and stderr are written to; without it, both are streams. */
  readonly output?: number;
  /** True: what it writes to file descriptor 3 is {@link RunningProcess.fd3}. */
  readonly fd3?: boolean;
}

/** A process that runs, in a process group of its own. */
export interface RunningProcess {
  readonly pid: number;
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  readonly fd3: Readable | null;
  /** Settles when the process has ended, its group is gone and its streams are closed; never rejects. */
  readonly exited: Promise<Exit>;
  /** SIGTERM to the whole group, SIGKILL to what is left of it after `grace` milliseconds (2000). */
  kill(grace?: number): Promise<Exit>;
}

/**
 * Starts a program that runs for long. Its streams must be read.
 * Throws FailureError `tool-missing` where there is no such program.
 */
export async function startProcess(
  program: string,
  args: readonly string[],
  options: StartOptions,
): Promise<RunningProcess> {
  const output = options.output ?? 'pipe';
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: environment(options),
    // A session and process group of its own: signals then reach all that it starts.
    detached: true,
    stdio: [options.stdin ?? 'ignore', output, output, ...(options.fd3 ? ['pipe' as const] : [])],
  });
  const exited = whenEnded(child);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.on('error', (error) => reject(startFailure(program, options.cwd, error)));
  });
  const pid = child.pid as number;
  return {
    pid,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    fd3: (child.stdio[3] as Readable | undefined) ?? null,
    exited,
    kill: (grace = 2000) => endGroup(pid, exited, grace),
  };
}

/** Variables that say how to reach the network: for programs that talk to git servers and registries. */
export const networkVariables: readonly string[] = [
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'],
  ...['SSL_CERT_FILE', 'SSL_CERT_DIR'],
];

function environment(options: ProcessOptions): Record<string, string> {
  const result: Record<string, string> = {
    PATH: process.env['PATH'] ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: process.env['HOME'] ?? '/',
    // Messages that we read must not depend on the machine's language.
    LANG: 'C.UTF-8',
    // Where one is set, as for steps, what a killed program leaves there is removed.
    ...(process.env['TMPDIR'] ? { TMPDIR: process.env['TMPDIR'] } : {}),
  };
  for (const name of options.inherit ?? []) {
    const value = process.env[name];
    if (value !== undefined) result[name] = value;
  }
  return Object.assign(result, options.env);
}

function collect(stream: Readable | null, into: TailBuffer, onText: (text: string) => void): void {
  const decoder = new TextDecoder();
  stream?.on('data', (piece: Buffer) => {
    into.push(piece);
    onText(decoder.decode(piece, { stream: true }));
  });
  stream?.on('error', () => {});
}

/** Settles with the end of the process, its group and its streams. */
function whenEnded(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('exit', (exitCode, signal) => {
      const exit = {
        exitCode: exitCode ?? 128 + (signal === null ? 0 : constants.signals[signal]),
        signal,
      };
      // What it left in its group would keep the streams open, and run on unseen.
      signalGroup(child.pid as number, 'SIGKILL');
      // A process that left the group may hold a stream open for ever: no reason to wait for it.
      const impatience = setTimeout(() => {
        for (const stream of child.stdio) stream?.destroy();
      }, 1000);
      child.once('close', () => {
        clearTimeout(impatience);
        resolve(exit);
      });
    });
  });
}

async function endGroup(pid: number, exited: Promise<Exit>, grace: number): Promise<Exit> {
  let ended = false;
  const end = exited.then((exit) => {
    ended = true;
    return exit;
  });
  signalGroup(pid, 'SIGTERM');
  const patience = new AbortController();
  await Promise.race([end, sleep(grace, undefined, { signal: patience.signal }).catch(() => {})]);
  patience.abort();
  if (!ended) signalGroup(pid, 'SIGKILL');
  return end;
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // ESRCH: it is gone. EPERM: only processes of another user are left (setuid programs).
    if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** Debian package of each program that we start, where it is not called the same. */
const packages: Readonly<Record<string, string>> = {
  unshare: 'util-linux',
  flock: 'util-linux',
  setpriv: 'util-linux',
  prlimit: 'util-linux',
  ip: 'iproute2',
  newuidmap: 'uidmap',
  newgidmap: 'uidmap',
};

function startFailure(program: string, cwd: string, error: Error): Error {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'EAGAIN') return noMoreProcesses(program);
  // A missing working directory is ENOENT too, and a bug of the caller.
  if (code !== 'ENOENT' && code !== 'EACCES') return error;
  if (!existsSync(cwd)) return new Error(`no such folder to run ${program} in: ${cwd}`);
  return toolMissing(program, code === 'ENOENT' ? 'it is not installed' : 'permission denied');
}

function noMoreProcesses(program: string): FailureError {
  return new FailureError({
    reason: 'step-crashed',
    detail: `The program ${program} cannot be started: there may be no more processes here.`,
    hint: 'Let more be: `ulimit -u`, the limit of the container or, on a cluster, `podPidsLimit` of the nodes, which must be at least 200 above `limits.sandbox.processes` of the configuration.',
  });
}

/** The failure of a program that cannot be started, with what to install. */
export function toolMissing(program: string, why: string): FailureError {
  return new FailureError({
    reason: 'tool-missing',
    detail: `The program ${program} cannot be started: ${why}.`,
    hint: installHint(program),
  });
}

function installHint(program: string): string {
  if (/(^|\/)kustomize$/.test(program))
    return 'Install kustomize (https://kubectl.docs.kubernetes.io/installation/kustomize/), or name its file in the configuration: `tools: {kustomize: /path/to/kustomize}`.';
  if (program.includes('/')) return `Check that the file ${program} exists and may be executed.`;
  return `Install it: \`apt-get install ${packages[program] ?? program}\`.`;
}
