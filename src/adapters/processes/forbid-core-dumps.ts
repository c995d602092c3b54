import { run } from './command.ts';

/**
 * From now on neither this process nor what it starts leaves a core dump: memory holds credentials. One byte, not
 * none, because the kernel then does not call a program of core_pattern either (core(5)).
 */
export async function forbidCoreDumps(): Promise<void> {
  const args = ['--pid', String(process.pid), '--core=1:1'];
  const { exitCode, stderr } = await run('prlimit', args, { cwd: '/' });
  if (exitCode !== 0) throw new Error(`core dumps cannot be switched off: ${stderr.trim()}`);
}
