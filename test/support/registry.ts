import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { startProcess } from '../../src/adapters/processes/command.ts';

/** A registry that a test started; `close` ends it and removes what it kept. */
export interface TestRegistry {
  /** `127.0.0.1:PORT`: plain HTTP, where the options say nothing else. */
  readonly host: string;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What a test may want of its registry. */
export interface TestRegistryOptions {
  /** Where it keeps everything; default: a folder of its own. */
  readonly data?: string;
  /** An htpasswd file of bcrypt lines: whoever is not in it is refused. */
  readonly htpasswd?: string;
  /** Files of the certificate and its key: it speaks HTTPS. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

/** Starts a real, empty registry (Debian's docker-registry) on a free loopback port. */
export async function startRegistry(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-registry-'));
  await writeFile(join(folder, 'config.yml'), configuration(folder, options));
  const server = await startProcess('docker-registry', ['serve', 'config.yml'], { cwd: folder });
  const close = async () => {
    await server.kill();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const host = await listeningAddress(server.stdout, server.stderr);
    return { host, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

function configuration(folder: string, { data, htpasswd, tls }: TestRegistryOptions): string {
  return JSON.stringify({
    ...(htpasswd && { auth: { htpasswd: { realm: 'test', path: htpasswd } } }),
    version: '0.1',
    log: { level: 'info', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: data ?? join(folder, 'data') },
      delete: { enabled: true },
    },
    // Port 0: the system picks a free one, and the log tells which.
    http: { addr: '127.0.0.1:0', ...(tls && { tls }) },
  });
}

/** Reads both streams until the registry says where it listens, and drains them afterwards. */
function listeningAddress(...streams: readonly (Readable | null)[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    let open = streams.length;
    for (const stream of streams) {
      stream?.on('data', (piece: Buffer) => {
        text = (text + piece.toString()).slice(-65_536);
        const host = /listening on (127\.0\.0\.1:\d+)/.exec(text)?.[1];
        if (host !== undefined) resolve(host);
      });
      stream?.once('close', () => {
        open -= 1;
        if (open === 0) reject(new Error(`docker-registry did not start:\n${text}`));
      });
    }
  });
}
