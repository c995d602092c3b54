import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a request is answered with. */
export interface HostileAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: empty. */
  readonly body?: string | Buffer;
  /** The body is sent again and again until the other side has had enough. */
  readonly endless?: true;
}

/** A request that came. */
export interface AskedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/** A server that answers like a registry, or like nothing that a registry would say. */
export interface HostileRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`: plain HTTP. */
  readonly host: string;
  readonly asked: readonly AskedRequest[];
  /** Bytes of bodies that it got rid of, in all. */
  readonly sent: number;
}

/** Starts one on a free loopback port; `/v2/` itself is answered as all registries do: it asks for a credential, or not. */
export async function startHostileRegistry(
  answer: (request: AskedRequest) => HostileAnswer | undefined,
): Promise<HostileRegistry> {
  const asked: AskedRequest[] = [];
  let sent = 0;
  const server = createServer((request, response) => {
    const { method = '', url: path = '', headers } = request;
    asked.push({ method, path, headers });
    const scripted = answer({ method, path, headers });
    const given = path === '/v2/' && scripted?.status !== 401 ? {} : scripted;
    const { status = 200, headers: more = {}, body = '', endless } = given ?? { status: 404 };
    response.on('error', () => {});
    response.writeHead(status, { 'content-type': 'application/octet-stream', ...more });
    sent += body.length;
    if (endless === undefined) response.end(body);
    else pour(response, Buffer.from(body), (length) => (sent += length));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    asked,
    get sent() {
      return sent;
    },
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function pour(response: ServerResponse, body: Buffer, wrote: (length: number) => void): void {
  const piece = Buffer.concat(Array.from({ length: Math.ceil(65_536 / body.length) }, () => body));
  const more = () => {
    while (!response.destroyed) {
      wrote(piece.length);
      if (!response.write(piece)) return;
    }
  };
  response.on('drain', more);
  more();
}
