import { flushCompileCache } from 'node:module';
import { createInterface } from 'node:readline';
import { unitOverMessage } from '../steps/step-message.ts';
import { tell } from './tell.ts';

/** The arguments of a step program that waits for units, without that; undefined where it does not wait. */
export function withoutWait(args: readonly string[]): readonly string[] | undefined {
  return args.includes('--wait') ? args.filter((arg) => arg !== '--wait') : undefined;
}

/** Milliseconds without a unit after which all programs are loaded. */
const idle = 50;

/**
 * Runs one unit after the other, as lines of standard input ask for them (each a JSON array of arguments), until one fails or there are no
 * more. Gives the exit code of the last. File descriptor 3 is told when one is over.
 */
export async function waitForUnits(
  runUnit: (args: readonly string[]) => Promise<number>,
): Promise<number> {
  const preloading = setTimeout(() => void preload(), idle);
  for await (const line of createInterface({ input: process.stdin })) {
    clearTimeout(preloading);
    const exit = await runUnit(JSON.parse(line) as string[]);
    if (exit !== 0) return exit;
    await flushed();
    tell(3, unitOverMessage(exit));
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
