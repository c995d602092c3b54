import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../src/adapters/processes/command.ts';

/** The commands of the first console block below a heading of a page, as they stand there. */
export function commandsOf(page: string, heading: string): readonly string[] {
  const text = readFileSync(join(import.meta.dirname, '../../docs', page), 'utf8');
  const [, section = ''] = text.split(`\n## ${heading}\n`);
  const [, block = ''] = /```console\n([\s\S]*?)```/.exec(section) ?? [];
  const lines = block.split('\n').filter((line) => line.startsWith('$ '));
  if (lines.length === 0) throw new Error(`${page} has no commands under ${heading}`);
  return lines.map((line) => line.slice(2));
}

/**
 * Runs commands in one shell, to the first that fails; gives what they printed. A server that one of them starts in the background (`… PORT:… &`)
 * is waited for, since people type more slowly, and ends with the shell.
 */
export async function runCommands(
  commands: readonly string[],
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const script = [
    "trap 'kill $(jobs -p) 2>&- || true' EXIT",
    ...commands.flatMap((command) => {
      const [, port] = / (\d+):\d+ &$/.exec(command) ?? [];
      return port === undefined ? [command] : [command, waitFor(port)];
    }),
  ];
  const options = { cwd: folder, env, timeout: 10 * 60_000 };
  const { exitCode, stdout, stderr } = await run('bash', ['-euc', script.join('\n')], options);
  if (exitCode !== 0) throw new Error(`exit ${exitCode}\n${stdout}${stderr}`);
  return stdout.toString();
}

function waitFor(port: string): string {
  const look = `(: < /dev/tcp/127.0.0.1/${port}) 2>&-`;
  return `for tries in $(seq 100); do ${look} && break; sleep 0.1; done`;
}
