import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
  request as sendRequest,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { Transform } from 'node:stream';

/** What happens to a request on its way, or to what is answered. */
export type Fault =
  /** The connection is closed without an answer. */
  | { readonly kind: 'drop' }
  /** Nothing is ever answered. */
  | { readonly kind: 'hang' }
  | { readonly kind: 'delay'; readonly milliseconds: number }
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** The connection breaks after so many bytes of the answer's body. */
  | { readonly kind: 'cut'; readonly after: number }
  /** The answer stops after so many bytes of its body, and the connection stays. */
  | { readonly kind: 'stall'; readonly after: number }
  /** The bit-wise opposite of one byte of the answer's body comes. */
  | { readonly kind: 'corrupt'; readonly at: number };

/** A request as a script sees it. */
export interface SeenRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

/** Says what becomes of a request; undefined: it passes. */
export type Script = (request: SeenRequest) => Fault | undefined;

/** A proxy in front of one HTTP server, which does to requests what a test says. */
export interface FaultyProxy extends AsyncDisposable {
  /** `ADDRESS:PORT`. */
  readonly host: string;
  /** All requests that came, with what became of them. */
  readonly seen: readonly (SeenRequest & { readonly fault: Fault['kind'] | undefined })[];
  /** From now on; without it, everything passes. */
  script(script?: Script): void;
  /** Nothing listens on the port any more, and what was open breaks. */
  down(): Promise<void>;
  up(): Promise<void>;
}

/** Starts a proxy in front of `target` (`HOST:PORT`, plain HTTP) on a free port of an address: loopback, unless told. */
export async function startFaultyProxy(
  target: string,
  address = '127.0.0.1',
): Promise<FaultyProxy> {
  const seen: (SeenRequest & { fault: Fault['kind'] | undefined })[] = [];
  let script: Script = () => undefined;
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    const fault = script({ method, url, headers });
    seen.push({ method, url, headers, fault: fault?.kind });
    response.on('error', () => {});
    answer(target, request, response, fault);
  });
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, address, resolve);
    });
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const down = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return {
    host: `${address}:${port}`,
    seen,
    script: (next = () => undefined) => {
      script = next;
    },
    down,
    up: () => listen(port),
    [Symbol.asyncDispose]: down,
  };
}

/** The first `count` requests that match meet the fault. */
export function first(count: number, pattern: RegExp, fault: Fault): Script {
  let left = count;
  return ({ method, url }) => {
    if (left === 0 || !pattern.test(`${method} ${url}`)) return undefined;
    left -= 1;
    return fault;
  };
}

/** The first script that has a fault for a request decides. */
export function scripts(...all: readonly Script[]): Script {
  return (request) => {
    for (const script of all) {
      const fault = script(request);
      if (fault !== undefined) return fault;
    }
    return undefined;
  };
}

function answer(
  target: string,
  request: IncomingMessage,
  response: ServerResponse,
  fault: Fault | undefined,
): void {
  switch (fault?.kind) {
    case 'drop':
      request.socket.destroy();
      return;
    case 'hang':
      request.resume();
      return;
    case 'status':
      request.resume();
      response.writeHead(fault.status, fault.headers).end('trouble\n');
      return;
    case 'delay': {
      const timer = setTimeout(() => forward(target, request, response), fault.milliseconds);
      response.once('close', () => clearTimeout(timer));
      return;
    }
    default:
      forward(target, request, response, fault);
  }
}

function forward(
  target: string,
  request: IncomingMessage,
  response: ServerResponse,
  fault?: Extract<Fault, { kind: 'cut' | 'stall' | 'corrupt' }>,
): void {
  const { method, url, headers } = request;
  const [hostname, port] = target.split(':');
  const onward = sendRequest({ hostname, port, method, path: url, headers, agent: false });
  onward.on('error', () => response.destroy());
  response.once('close', () => onward.destroy());
  onward.on('response', (answered) => {
    answered.on('error', () => response.destroy());
    response.writeHead(answered.statusCode ?? 502, answered.headers);
    const damage = fault && damaged(fault, () => response.socket?.destroy());
    if (damage === undefined) answered.pipe(response);
    else answered.pipe(damage).pipe(response);
  });
  request.pipe(onward);
}

function damaged(
  fault: Extract<Fault, { kind: 'cut' | 'stall' | 'corrupt' }>,
  cut: () => void,
): Transform {
  let passed = 0;
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      const begin = passed;
      passed += piece.length;
      if (fault.kind === 'corrupt') {
        const at = fault.at - begin;
        if (at >= 0 && at < piece.length) piece[at] = ~(piece[at] ?? 0) & 0xff;
        done(null, piece);
      } else if (passed <= fault.after) {
        done(null, piece);
      } else {
        this.push(piece.subarray(0, Math.max(0, fault.after - begin)));
        // Whoever waits for the rest waits for ever; `done` is never called.
        if (fault.kind === 'cut') setImmediate(cut);
      }
    },
  });
}
