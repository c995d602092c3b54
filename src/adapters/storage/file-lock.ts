import { dirname } from 'node:path';
import { startProcess } from '../processes/command.ts';

/** A lock on a file that is held until `release`, or until this process ends, however it ends. */
export interface FileLock extends AsyncDisposable {
  release(): Promise<void>;
}

interface LockOptions {
  readonly wait: boolean;
  /** Several may hold it, as long as each wants to share it. Default: one alone. */
  readonly shared?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Locks a file (making it) among all processes of the machine; waits until it is free, or, with
 * `wait: false`, gives undefined where another holds it.
 */
export async function lockFile(path: string, options: LockOptions): Promise<FileLock | undefined> {
  options.signal?.throwIfAborted();
  // `cat` ends when our end of its input closes: also when we are killed.
  const holder = await startProcess(
    'flock',
    [
      ...[
        '--no-fork',
        ...(options.wait ? [] : ['--nonblock']),
        ...(options.shared ? ['--shared'] : []),
      ],
      ...[path, 'sh', '-c', 'echo locked; exec cat'],
    ],
    { cwd: dirname(path), stdin: 'pipe' },
  );
  holder.stdin?.on('error', () => {});
  holder.stderr?.resume();
  const give = () => void holder.kill(0);
  options.signal?.addEventListener('abort', give, { once: true });
  const locked = await new Promise<boolean>((resolve) => {
    holder.stdout?.once('data', () => resolve(true));
    void holder.exited.then(() => resolve(false));
  });
  options.signal?.removeEventListener('abort', give);
  if (options.signal?.aborted) await holder.kill(0);
  options.signal?.throwIfAborted();
  if (!locked && options.wait) throw new Error(`cannot lock ${path}`);
  if (!locked) return undefined;
  const release = async () => {
    holder.stdin?.end();
    await holder.exited;
  };
  return { release, [Symbol.asyncDispose]: release };
}

/** Runs `work` while holding the lock of a file; calls that come meanwhile, from any process, wait. */
export async function withFileLock<Value>(
  path: string,
  work: () => Promise<Value>,
  signal?: AbortSignal,
): Promise<Value> {
  await using _lock = await lockFile(path, { wait: true, ...(signal ? { signal } : {}) });
  return await work();
}
