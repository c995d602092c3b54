import { flushCompileCache } from 'node:module';
import { createInterface } from 'node:readline';
import { unitOver } from '../steps/step-message.ts';
import { tell } from './tell.ts';

/** Milliseconds without a unit after which all programs are loaded. */
const idle = 50;

/**
 * Runs one unit after the other, as lines of standard input ask for them (each a JSON array of arguments), until one fails or there are no
 * more. Gives the exit code of the last. `messages`: the file descriptor that is told when one is over.
 */
export async function waitForUnits(
  messages: number,
  runUnit: (args: readonly string[]) => Promise<number>,
): Promise<number> {
  const preloading = setTimeout(() => void preload(), idle);
  for await (const line of createInterface({ input: process.stdin })) {
    clearTimeout(preloading);
    const exit = await runUnit(JSON.parse(line) as string[]);
    if (exit !== 0) return exit;
    await flushed();
    tell(messages, unitOver);
  }
  return 0;
}

/** Whoever waits has time to load what the first unit may need. */
async function preload(): Promise<void> {
  const { loadPrograms } = await import('../steps/step-programs.ts');
  await Promise.all([import('./step-prepare.ts'), loadPrograms()]);
  flushCompileCache();
}

/** What is printed belongs to the unit that printed it. */
function flushed(): Promise<void> {
  return new Promise((done) => process.stdout.write('', () => done()));
}
