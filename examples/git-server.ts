import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A git server that runs. */
export interface GitServer {
  /** `http://ADDRESS:PORT/`: the base that stands for `https://github.com/` in a URL map. */
  readonly url: string;
  /** How many requests it got so far. */
  readonly requests: number;
  close(): Promise<void>;
}

/**
 * Serves the bare repositories `<folder>/<owner>/<repo>.git` over smart HTTP, read-only, by `git http-backend`. As on GitHub, the `.git`
 * of a URL may be left out. Port 0 picks a free one.
 */
export async function startGitServer(
  folder: string,
  port = 0,
  address = '127.0.0.1',
): Promise<GitServer> {
  const root = resolve(folder);
  const children = new Set<AbortController>();
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    const abort = new AbortController();
    children.add(abort);
    response.once('close', () => {
      children.delete(abort);
      if (!response.writableFinished) abort.abort(); // The client has gone.
    });
    serve(root, request, response, abort.signal);
  });
  await new Promise<void>((done, failed) => {
    server.once('error', failed);
    server.listen(port, address, done);
  });
  return {
    url: `http://${address}:${(server.address() as AddressInfo).port}/`,
    get requests() {
      return requests;
    },
    close: () =>
      new Promise((done) => {
        for (const abort of children) abort.abort();
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

function serve(
  root: string,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): void {
  const path = repositoryPath(root, request.url ?? '/');
  if (path === undefined) {
    request.resume();
    response.writeHead(404, { 'content-type': 'text/plain' }).end('No such repository.\n');
    return;
  }
  const backend = spawn('git', ['http-backend'], {
    env: environment(root, path, request),
    stdio: ['pipe', 'pipe', 'inherit'],
    signal,
    killSignal: 'SIGKILL',
  });
  const fail = (): void => {
    if (response.headersSent) response.destroy();
    else response.writeHead(500).end();
  };
  backend.on('error', fail);
  backend.stdin.on('error', () => {}); // The backend may answer before it has read everything.
  request.on('error', () => backend.stdin.destroy());
  request.pipe(backend.stdin);

  let head = Buffer.alloc(0);
  const readHead = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0 || response.headersSent) return;
    backend.stdout.off('data', readHead);
    writeHead(response, head.subarray(0, end).toString('latin1'));
    response.write(head.subarray(end + 4));
    backend.stdout.pipe(response);
  };
  backend.stdout.on('data', readHead);
  backend.stdout.on('end', () => {
    if (!response.headersSent) fail();
  });
}

/** CGI's head: header lines, with the status as one of them. */
function writeHead(response: ServerResponse, head: string): void {
  response.statusCode = 200;
  for (const line of head.split('\r\n')) {
    const [name = '', ...value] = line.split(': ');
    if (name.toLowerCase() === 'status')
      response.statusCode = Number.parseInt(value.join(': '), 10);
    else response.appendHeader(name, value.join(': '));
  }
}

/** `/owner/repo/info/refs` → `/owner/repo.git/info/refs`; undefined where there is no such repository. */
function repositoryPath(root: string, url: string): string | undefined {
  const match =
    /^\/([A-Za-z0-9][\w.-]*)\/([\w][\w.-]*?)(?:\.git)?(\/(?:info\/refs|git-upload-pack|git-receive-pack|HEAD|objects\/[\w/.-]+))(?:\?|$)/.exec(
      url,
    );
  if (match === null || url.includes('..')) return undefined;
  const [, owner = '', repository = '', rest = ''] = match;
  return existsSync(join(root, owner, `${repository}.git`))
    ? `/${owner}/${repository}.git${rest}`
    : undefined;
}

function environment(root: string, path: string, request: IncomingMessage): Record<string, string> {
  const { headers } = request;
  const url = request.url ?? '';
  const query = url.includes('?') ? url.slice(url.indexOf('?') + 1) : '';
  const optional: Record<string, string | undefined> = {
    CONTENT_TYPE: headers['content-type'],
    CONTENT_LENGTH: headers['content-length'], // None where the body is chunked: then the backend reads to the end.
    HTTP_CONTENT_ENCODING: headers['content-encoding'],
    HTTP_ACCEPT: headers.accept,
    GIT_PROTOCOL: headers['git-protocol']?.toString(),
  };
  return {
    PATH: process.env['PATH'] ?? '',
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: '1',
    PATH_INFO: path,
    QUERY_STRING: query,
    REQUEST_METHOD: request.method ?? 'GET',
    REMOTE_ADDR: request.socket.remoteAddress ?? '',
    SERVER_PROTOCOL: `HTTP/${request.httpVersion}`,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_SYSTEM: '/dev/null',
    // The repositories may belong to another user than the one who serves them.
    GIT_CONFIG_COUNT: '3',
    GIT_CONFIG_KEY_0: 'safe.directory',
    GIT_CONFIG_VALUE_0: '*',
    GIT_CONFIG_KEY_1: 'uploadpack.allowFilter',
    GIT_CONFIG_VALUE_1: 'true',
    GIT_CONFIG_KEY_2: 'uploadpack.allowAnySHA1InWant',
    GIT_CONFIG_VALUE_2: 'true',
    ...Object.fromEntries(
      Object.entries(optional).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [folder, port] = process.argv.slice(2);
  if (folder === undefined || port === undefined) {
    process.stderr.write('usage: node examples/git-server.ts DIR PORT\n');
    process.exitCode = 2;
  } else {
    const server = await startGitServer(folder, Number(port));
    process.stdout.write(`Serving ${folder} at ${server.url}\n`);
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.once(signal, () => void server.close());
  }
}
