import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CommandResult, run, startProcess } from '../../src/adapters/processes/command.ts';
import { tool } from './tools.ts';

/** An object of a file-based catalog. */
export type CatalogObject = Readonly<Record<string, unknown>>;

/** Runs one of OLM's programs in a folder, which is its home too: they write caches into both. */
export function callOlm(
  name: 'opm' | 'operator-sdk',
  args: readonly string[],
  folder: string,
): Promise<CommandResult> {
  return run(tool(name), args, { cwd: folder, env: { HOME: folder }, timeout: 25_000 });
}

/** The objects of a catalog as opm and we write them, one after the other. */
export function catalogObjects(text: string): CatalogObject[] {
  return text
    .split(/\n(?=\{)/)
    .filter((part) => part.trim() !== '')
    .map((part) => JSON.parse(part));
}

/** What is said of a bundle, whatever the order of its related images: opm's is that of a Go map. */
export function unordered(bundle: CatalogObject | undefined): unknown {
  const byText = (list: unknown) => (list as unknown[]).map((item) => JSON.stringify(item)).sort();
  return { ...bundle, relatedImages: byText(bundle?.['relatedImages']) };
}

/** `opm serve`, listening. */
export interface ServedCatalog {
  /** `127.0.0.1:PORT` of its gRPC. */
  readonly address: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts PROGRAM ARGS (opm, or something that ends in running it) on a port of its own, and waits until it serves; throws with its words where it ends. */
export async function serveCatalog(
  program: string,
  args: readonly string[],
  folder: string,
): Promise<ServedCatalog> {
  const port = await freePort();
  const options = ['--port', String(port), '--pprof-addr', ''];
  const serving = await startProcess(program, [...args, ...options], {
    cwd: folder,
    env: { HOME: folder },
  });
  let said = '';
  for (const stream of [serving.stdout, serving.stderr]) {
    stream?.on('data', (piece: Buffer) => {
      said += piece.toString();
    });
  }
  const ended = serving.exited.then(() => true);
  for (let tries = 0; tries < 200 && !said.includes('serving registry'); tries += 1) {
    if (await Promise.race([ended, sleep(100, false)])) break;
  }
  if (!said.includes('serving registry')) {
    await serving.kill();
    throw new Error(`opm does not serve:\n${said}`);
  }
  const stop = async () => void (await serving.kill());
  return { address: `127.0.0.1:${port}`, [Symbol.asyncDispose]: stop };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}
