import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { Connection } from '../../src/adapters/cluster/connection.ts';

/** A Kubernetes object, as far as the server reads it. */
export interface ApiObject {
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly resourceVersion?: string;
    readonly [more: string]: unknown;
  };
  readonly [more: string]: unknown;
}

interface Happening {
  readonly version: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly path: string;
  readonly object: ApiObject;
}

/** What a list told when its first page was asked for: its further pages are of that moment, whatever happens meanwhile. */
interface Snapshot {
  readonly version: number;
  readonly items: readonly ApiObject[];
}

interface Watcher {
  readonly path: string;
  readonly selector: string;
  readonly answer: ServerResponse;
}

/**
 * The API server's own protocol over HTTP, in memory: lists in pages, watches with resource versions and bookmarks, create, merge patch, delete, logs;
 * and everything that goes wrong with one, when a test says so.
 */
export class FakeApiServer {
  /** Collection path → name → object. */
  readonly #objects = new Map<string, Map<string, ApiObject>>();
  readonly #watchers = new Set<Watcher>();
  readonly #logs = new Map<string, string>();
  readonly #snapshots: Snapshot[] = [];
  #history: Happening[] = [];
  #version = 100;
  /** The oldest version that a watch may begin at. */
  #oldest = 0;
  #server: Server | undefined;
  #port = 0;
  #stalled = false;
  #lost = 0;
  #pagesHeld: Promise<void> = Promise.resolve();
  #refusals: { readonly status: number; times: number } = { status: 500, times: 0 };
  /** Requests so far, as `METHOD path`; watches begin with `WATCH`. */
  readonly requests: string[] = [];

  static async start(): Promise<FakeApiServer> {
    const server = new FakeApiServer();
    await server.restart();
    return server;
  }

  /** An object as it is now. */
  get(path: string, name: string): ApiObject | undefined {
    return this.#objects.get(path)?.get(name);
  }

  get connection(): Connection {
    return {
      server: `http://127.0.0.1:${this.#port}`,
      tls: { rejectUnauthorized: true },
      token: async () => 'secret',
      namespace: 'builds',
    };
  }

  /** Listens (again), on the same port. */
  async restart(): Promise<void> {
    this.#stalled = false;
    this.#server = createServer((request, answer) => void this.#answer(request, answer));
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Ends every connection, and takes no further one. */
  async stop(): Promise<void> {
    this.cut();
    const closed = this.#server && once(this.#server, 'close');
    this.#server?.close();
    await closed;
  }

  /** Cuts every connection. */
  cut(): void {
    this.#watchers.clear();
    this.#server?.closeAllConnections();
  }

  /** From now on, the watches that are there hear nothing any more, not even of their end. */
  stall(): void {
    this.#stalled = true;
    this.#watchers.clear();
  }

  /** Forgets what happened before: whoever was there is told 410. */
  compact(): void {
    this.#history = [];
    this.#oldest = this.#version;
  }

  /** From now on, the pages of a list that come after its first one wait for `released`. */
  holdPages(released: Promise<void>): void {
    this.#pagesHeld = released;
  }

  /** What the next requests create or change is done, and their answers are lost. */
  loseAnswers(times: number): void {
    this.#lost = times;
  }

  /** The next requests are refused. */
  refuse(status: number, times: number): void {
    this.#refusals = { status, times };
  }

  put(path: string, object: ApiObject): ApiObject {
    const collection = this.#objects.get(path) ?? new Map<string, ApiObject>();
    this.#objects.set(path, collection);
    const type = collection.has(object.metadata.name) ? 'MODIFIED' : 'ADDED';
    return this.#happen(type, path, object);
  }

  remove(path: string, name: string): void {
    const object = this.#objects.get(path)?.get(name);
    if (object !== undefined) this.#happen('DELETED', path, object);
  }

  log(pod: string, text: string): void {
    this.#logs.set(pod, text);
  }

  #happen(type: Happening['type'], path: string, object: ApiObject): ApiObject {
    this.#version += 1;
    const metadata = { ...object.metadata, resourceVersion: String(this.#version) };
    const stored = { ...object, metadata };
    if (type === 'DELETED') this.#objects.get(path)?.delete(metadata.name);
    else this.#objects.get(path)?.set(metadata.name, stored);
    const happening = { version: this.#version, type, path, object: stored };
    this.#history.push(happening);
    for (const watcher of this.#watchers) tell(watcher, happening);
    return stored;
  }

  async #answer(request: IncomingMessage, answer: ServerResponse): Promise<unknown> {
    const url = new URL(request.url ?? '', 'http://server');
    const query = url.searchParams;
    const watching = query.get('watch') === 'true';
    this.requests.push(`${watching ? 'WATCH' : request.method} ${url.pathname}`);
    if (request.headers.authorization !== 'Bearer secret')
      return refuse(answer, 401, 'Unauthorized');
    if (this.#refusals.times > 0) {
      this.#refusals.times -= 1;
      return refuse(answer, this.#refusals.status, 'InternalError');
    }
    const pod = /\/pods\/([^/]+)\/log$/.exec(url.pathname)?.[1];
    if (pod !== undefined) return answer.end(this.#logs.get(pod) ?? '');
    if (watching) return this.#watch(url.pathname, query, answer);
    const text = await bodyOf(request);
    const body = text === '' ? undefined : (JSON.parse(text) as ApiObject);
    const [path, name] = this.#split(url.pathname);
    if (request.method === 'POST' && body !== undefined) return this.#create(path, body, answer);
    if (name === undefined) return this.#list(path, query, answer);
    const found = this.#objects.get(path)?.get(name);
    if (found === undefined) return refuse(answer, 404, 'NotFound');
    if (request.method === 'DELETE') return this.#delete(path, found, body, answer);
    if (request.method === 'PATCH') return this.#patch(path, found, body, answer);
    return send(answer, 200, found);
  }

  /** Collection and name: what ends in the plural is a collection. */
  #split(path: string): [string, string?] {
    const [, collection = path, name] =
      /^(.*\/namespaces\/[^/]+\/[a-z]+)(?:\/([^/]+))?$/.exec(path) ?? [];
    return name === undefined ? [collection] : [collection, name];
  }

  #create(path: string, body: ApiObject, answer: ServerResponse): unknown {
    if (this.#objects.get(path)?.has(body.metadata.name))
      return refuse(answer, 409, 'AlreadyExists');
    const metadata = {
      ...body.metadata,
      uid: `uid-${this.#version}`,
      creationTimestamp: new Date().toISOString(),
    };
    const created = this.put(path, { ...body, metadata });
    if (this.#lost > 0) {
      this.#lost -= 1;
      return answer.destroy();
    }
    return send(answer, 201, created);
  }

  /** Tekton's webhook takes no change of what a run that is over should do. */
  #patch(path: string, found: ApiObject, body: unknown, answer: ServerResponse): unknown {
    const changed = merge(found, body) as ApiObject;
    if (isOver(found) && !isDeepStrictEqual(changed['spec'], found['spec']))
      return refuse(answer, 400, 'BadRequest');
    return send(answer, 200, this.put(path, changed));
  }

  #delete(path: string, found: ApiObject, body: unknown, answer: ServerResponse): unknown {
    const { preconditions } = (body ?? {}) as { preconditions?: { readonly uid?: string } };
    if (preconditions?.uid !== undefined && preconditions.uid !== found.metadata['uid'])
      return refuse(answer, 409, 'Conflict');
    this.remove(path, found.metadata.name);
    return send(answer, 200, { kind: 'Status', status: 'Success' });
  }

  async #list(path: string, query: URLSearchParams, answer: ServerResponse): Promise<unknown> {
    const further = query.get('continue')?.split(' ').map(Number);
    if (further !== undefined) await this.#pagesHeld;
    const [index = this.#snapshots.length, from = 0] = further ?? [];
    this.#snapshots[index] ??= this.#snapshot(path, query.get('labelSelector') ?? '');
    const { version, items } = this.#snapshots[index];
    if (version < this.#oldest) return refuse(answer, 410, 'Expired');
    const limit = Number(query.get('limit') ?? items.length);
    const next = from + limit < items.length ? { continue: `${index} ${from + limit}` } : {};
    const metadata = { resourceVersion: String(version), ...next };
    return send(answer, 200, { kind: 'List', metadata, items: items.slice(from, from + limit) });
  }

  #snapshot(path: string, selector: string): Snapshot {
    const all = [...(this.#objects.get(path)?.values() ?? [])];
    return { version: this.#version, items: all.filter((one) => selects(selector, one)) };
  }

  #watch(path: string, query: URLSearchParams, answer: ServerResponse): unknown {
    const place = Number(query.get('resourceVersion'));
    answer.writeHead(200, { 'content-type': 'application/json' });
    answer.flushHeaders();
    if (place < this.#oldest) {
      const object = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' };
      return answer.end(`${JSON.stringify({ type: 'ERROR', object })}\n`);
    }
    const watcher = { path, selector: query.get('labelSelector') ?? '', answer };
    for (const happening of this.#history) if (happening.version > place) tell(watcher, happening);
    if (this.#stalled) return undefined;
    this.#watchers.add(watcher);
    const seconds = Number(query.get('timeoutSeconds') ?? 60);
    setTimeout(() => {
      if (!this.#watchers.delete(watcher)) return;
      const metadata = { resourceVersion: String(this.#version) };
      answer.end(`${JSON.stringify({ type: 'BOOKMARK', object: { metadata } })}\n`);
    }, seconds * 1000).unref();
    return undefined;
  }
}

function tell({ path, selector, answer }: Watcher, { type, path: where, object }: Happening): void {
  if (where === path && selects(selector, object))
    answer.write(`${JSON.stringify({ type, object })}\n`);
}

function selects(selector: string, { metadata }: ApiObject): boolean {
  const [key = '', value] = selector.split('=');
  const label = metadata.labels?.[key];
  return selector === '' || (value === undefined ? label !== undefined : label === value);
}

function isOver(object: ApiObject): boolean {
  const { conditions = [] } = (object['status'] ?? {}) as { conditions?: { status: string }[] };
  return conditions.some(({ status }) => status !== 'Unknown');
}

function merge(object: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null) return patch;
  const before = typeof object === 'object' && object !== null ? object : {};
  const changed = Object.entries(patch).map(([key, value]) => [
    key,
    merge((before as Record<string, unknown>)[key], value),
  ]);
  return { ...before, ...Object.fromEntries(changed) };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('utf8');
}

function send(answer: ServerResponse, status: number, body: unknown): unknown {
  answer.writeHead(status, { 'content-type': 'application/json' });
  return answer.end(JSON.stringify(body));
}

function refuse(answer: ServerResponse, status: number, reason: string): unknown {
  const message = `${reason}, says the test`;
  return send(answer, status, { kind: 'Status', code: status, reason, message });
}
