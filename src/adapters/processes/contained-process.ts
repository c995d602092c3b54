import { rm } from 'node:fs/promises';
import type { ContainedProcess } from '../../engine/local/step-process.ts';
import { networkVariables, run, startProcess } from './command.ts';
import { childrenOf } from './process-tree.ts';
import { contained, privilege, wasKilled } from './sandbox.ts';

/**
 * Starts a command whose processes all end with it, with `end`, or with this process, however that ends. Its folder is where
 * it keeps temporary files, too.
 * Of our environment it sees the usual variables, those of `variables`, and what begins with TRIBUTARY_ but for `withheld`.
 */
export async function startContained(
  command: readonly string[],
  cwd: string,
  variables: readonly string[] = [],
  withheld: readonly string[] = [],
): Promise<ContainedProcess> {
  const line = contained(privilege(), command, { network: true });
  const own = Object.keys(process.env).filter(
    (name) => name.startsWith('TRIBUTARY_') && !withheld.includes(name),
  );
  const child = await startProcess(line.program, line.args, {
    cwd,
    // Its folder is removed when it is gone: so nothing stays of what it could not remove when it was killed.
    env: { ...line.env, TMPDIR: cwd },
    inherit: [...networkVariables, ...own, ...variables],
    ...{ stdin: 'pipe', fd3: true },
  });
  const { stdin, stdout, stderr, fd3 } = child;
  if (stdin === null || stdout === null || stderr === null || fd3 === null)
    throw new Error('a stream is missing');
  let words = '';
  stderr.on('data', (piece: Buffer) => {
    words = `${words}${piece.toString('latin1')}`.slice(-200);
  });
  return {
    stdin,
    stdout,
    stderr,
    fd3,
    exited: child.exited.then((exit) =>
      wasKilled(exit.exitCode, words) ? { exitCode: 137, signal: 'SIGKILL' } : exit,
    ),
    end: () => endNamespace(child.pid, child.kill),
  };
}

/** Removes a folder, also with files that steps of an ordinary user made under other ids of theirs. */
export async function removeStepFolder(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    if (privilege() === 'root') throw error;
    const line = contained(privilege(), ['rm', '-rf', '--', folder], { network: false });
    const { exitCode, stderr } = await run(line.program, line.args, { cwd: '/', env: line.env });
    if (exitCode !== 0)
      throw new Error(`cannot remove ${folder}: ${stderr.trim()}`, { cause: error });
  }
}

/**
 * Kills the first process of the PID namespace: the kernel then ends all others, and only when none is
 * left does `unshare`, which waits for it, end too. Killing `unshare` first would not let us wait.
 */
function endNamespace(unshare: number, kill: (grace: number) => Promise<unknown>): void {
  const first = childrenOf(unshare);
  if (first.length === 0) void kill(0);
  for (const { pid } of first) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone between the look and the signal.
    }
  }
}
