import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A way to a server that a test may cut: bytes pass as they are, TLS too. */
export interface CuttableLine extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Breaks what is open, and takes nothing until {@link CuttableLine.mend}. */
  cut(): void;
  mend(): void;
}

/** Lays a line to `host:port`. */
export async function layLine(target: URL): Promise<CuttableLine> {
  const open = new Set<Socket>();
  let whole = true;
  const server = createServer((near) => {
    if (!whole) return void near.destroy();
    const far = connect(Number(target.port), target.hostname);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(socket);
      socket.pipe(other);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const breakAll = () => {
    for (const socket of open) socket.destroy();
  };
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => {
      whole = false;
      breakAll();
    },
    mend: () => {
      whole = true;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      breakAll();
    },
  };
}
