import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
  request as sendRequest,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { startGitServer } from '../../examples/git-server.ts';
import { createRepository, type TestRepository, temporaryFolder } from './git-repository.ts';

/** What a lying server does with a request, instead of passing it to a real one. */
export type Lie =
  | { readonly kind: 'redirect'; readonly to: string; readonly status?: number }
  /** Passes it on with one text of its body replaced by another of the same length: what is wanted, say. */
  | { readonly kind: 'want'; readonly instead: string; readonly of: string }
  /** Says this body. */
  | { readonly kind: 'say'; readonly type: string; readonly body: Buffer };

/** A git server over plain HTTP on loopback that lies as a test says. */
export interface HostileGit extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Of the repository `a/NAME`. */
  url(name: string): string;
  /** Method, path and Authorization of all requests that came. */
  readonly seen: readonly {
    readonly request: string;
    readonly authorization: string | undefined;
  }[];
  /** From now on; without it, all is honest. */
  lie(to?: (request: string) => Lie | undefined): void;
  /** A work tree whose `publish` makes it what `a/NAME` serves. */
  repository(name: string): Promise<TestRepository & { publish(): Promise<void> }>;
  readonly folder: string;
}

/** Starts one with no repositories. */
export async function startHostileGit(): Promise<HostileGit> {
  const folder = await temporaryFolder();
  const served = join(folder.path, 'served');
  const honest = await startGitServer(served);
  const seen: { request: string; authorization: string | undefined }[] = [];
  let lie: (request: string) => Lie | undefined = () => undefined;
  const server = createServer((request, response) => {
    const asked = `${request.method} ${request.url}`;
    seen.push({ request: asked, authorization: request.headers.authorization });
    answer(lie(asked), new URL(honest.url).port, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    url: (name) => `http://${host}/a/${name}`,
    seen,
    folder: folder.path,
    lie: (to = () => undefined) => {
      lie = to;
    },
    async repository(name) {
      const work = await createRepository(join(folder.path, 'work', name));
      const bare = join(served, 'a', `${name}.git`);
      await work.git('init', '--quiet', '--bare', '--initial-branch=main', bare);
      // What a stranger's server keeps or sends is not what git itself would make.
      const publish = async () =>
        void (await work.git('push', '--quiet', '--force', '--mirror', bare));
      return { ...work, publish };
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await honest.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

function answer(
  lie: Lie | undefined,
  port: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (lie?.kind === 'redirect') {
    request.resume();
    response.writeHead(lie.status ?? 301, { location: lie.to }).end();
  } else if (lie?.kind === 'say') {
    request.resume();
    response.writeHead(200, { 'content-type': lie.type }).end(lie.body);
  } else {
    forward(lie, port, request, response);
  }
}

function forward(
  lie: Extract<Lie, { kind: 'want' }> | undefined,
  port: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { method, url, headers } = request;
  const onward = sendRequest({ host: '127.0.0.1', port, method, path: url, headers, agent: false });
  onward.on('error', () => response.destroy());
  onward.on('response', (answered) => {
    response.writeHead(answered.statusCode ?? 502, answered.headers);
    answered.pipe(response);
  });
  if (lie === undefined) {
    request.pipe(onward);
    return;
  }
  const pieces: Buffer[] = [];
  request.on('data', (piece: Buffer) => pieces.push(piece));
  request.on('end', () => {
    const body = Buffer.concat(pieces).toString('latin1');
    onward.end(Buffer.from(body.replaceAll(lie.of, lie.instead), 'latin1'));
  });
}
