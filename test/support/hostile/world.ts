import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startGitServer } from '../../../examples/git-server.ts';
import { createRegistry } from '../../../src/adapters/registry/registry.ts';
import { Configuration } from '../../../src/config/config.ts';
import { pushBusyboxImage } from '../busybox-image.ts';
import { startRegistry } from '../registry.ts';
import { perlFiles } from './perl-image.ts';
import type { HostileWorld } from './places.ts';

/** A machine with servers that code of a ref must not reach. */
export interface OpenHostileWorld extends HostileWorld {
  /** Ports of the registry, a git server, and one that stands for the service and is open to all addresses. */
  readonly ports: readonly number[];
  /** Name of an abstract socket. */
  readonly socket: string;
  /** How often somebody came to the last two. */
  visits(): number;
  close(): Promise<void>;
}

/** Starts the servers and makes the image in which hostile code runs. */
export async function openHostileWorld(): Promise<OpenHostileWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'hostile-'));
  const registry = await startRegistry();
  const configuration = Configuration.parse({ remotes: { demo: { push: registry.host } } });
  const reach = await createRegistry(configuration, { folder });
  const base = await pushBusyboxImage(reach, `${registry.host}/base/hostile:1`, await perlFiles());
  const git = await startGitServer(folder);
  let visits = 0;
  const visit = () => {
    visits += 1;
  };
  const socket = `hostile-${process.pid}`;
  const open = await listen({ host: '0.0.0.0', port: 0 }, visit);
  const local = await listen({ path: `\0${socket}` }, visit);
  return {
    ...{ folder, state: join(folder, 'state'), base, registry: registry.host, socket },
    ports: [registry.host, new URL(git.url).host, open.host].map((host) =>
      Number(host.split(':')[1]),
    ),
    visits: () => visits,
    close: async () => {
      open.server.close();
      local.server.close();
      await git.close();
      await registry.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function listen(
  where: { host: string; port: number } | { path: string },
  visit: () => void,
): Promise<{ server: Server; host: string }> {
  const server = createServer((socket) => {
    visit();
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(where, resolve));
  const address = server.address();
  return { server, host: typeof address === 'object' ? `:${address?.port}` : '' };
}
