import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { stringify } from 'yaml';

/** Somebody whom a {@link FakeCluster} knows. */
export interface KnownCaller {
  readonly user: string;
  readonly groups?: readonly string[];
  /** What the token is made for; default: the API of the cluster. */
  readonly audiences?: readonly string[];
  /** `create pipelineruns`, `create pipelineruns/approval`, … in the namespace. */
  readonly may: readonly string[];
}

interface ConfigMap {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly data?: Readonly<Record<string, string>>;
}

interface Review {
  readonly spec: {
    readonly token?: string;
    readonly audiences?: readonly string[];
    readonly user?: string;
    readonly resourceAttributes?: Readonly<Record<string, string>>;
  };
}

type Reply = readonly [status: number, body: object];

/** Speaks what an API server speaks of TokenReview, SubjectAccessReview and ConfigMaps, on loopback. */
export class FakeCluster {
  /** By token. */
  readonly callers = new Map<string, KnownCaller>();
  readonly configMaps = new Map<string, ConfigMap>();
  /** Every request, as `POST /path`. */
  readonly asked: string[] = [];
  /** What the service may not do: `create tokenreviews`. */
  readonly forbidden = new Set<string>();
  /** Answers instead of it, once for each, and undefined where it answers itself. */
  readonly trouble: (Reply | undefined)[] = [];
  /** Called before a request is answered. */
  before: (request: string) => void = () => {};
  readonly namespace = 'tributary';
  private readonly server = createServer(
    (request, response) => void this.answer(request, response),
  );
  private versions = 0;

  async start(): Promise<this> {
    await new Promise<void>((done) => this.server.listen(0, '127.0.0.1', done));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Text of a kubeconfig whose user is the service, or has `user` to prove who they are. */
  kubeconfig(user: object = { token: 'of-the-service' }): string {
    return stringify({
      'current-context': 'here',
      contexts: [
        { name: 'here', context: { cluster: 'fake', user: 'me', namespace: this.namespace } },
      ],
      clusters: [{ name: 'fake', cluster: { server: this.url } }],
      users: [{ name: 'me', user }],
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = request;
    const body = await text(request);
    const asked = `${method} ${url}`;
    this.asked.push(asked);
    this.before(asked);
    const [status, value] =
      this.trouble.shift() ?? this.reply(asked, body === '' ? {} : JSON.parse(body));
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  }

  private reply(asked: string, body: object): Reply {
    const [method = '', url = ''] = asked.split(' ');
    const { pathname, searchParams } = new URL(url, this.url);
    const [resource = '', name] = pathname
      .replace(`/api/v1/namespaces/${this.namespace}/`, '')
      .replace(/^\/apis\/(authentication|authorization)\.k8s\.io\/v1\//, '')
      .split('/');
    if (this.forbidden.has(`${verbs[method]} ${resource}`))
      return failure(403, `${resource} is forbidden: User "service" cannot ${verbs[method]} it`);
    switch (`${method} ${resource}`) {
      case 'POST tokenreviews':
        return [201, { ...body, status: this.identify(body as Review) }];
      case 'POST subjectaccessreviews':
        return [201, { ...body, status: { allowed: this.allows(body as Review) } }];
      case 'POST configmaps':
        return this.create(body as ConfigMap);
      case 'GET configmaps':
        return name === undefined ? this.list(searchParams) : this.read(name);
      case 'DELETE configmaps':
        return this.delete(name ?? '', body as Deletion);
      default:
        return failure(404, `the server could not find ${pathname}`);
    }
  }

  private identify({ spec }: Review): object {
    const caller = this.callers.get(spec.token ?? '');
    if (caller === undefined) return { user: {}, error: 'invalid bearer token' };
    const { user: username, groups = [] } = caller;
    const user = { username, uid: `uid of ${username}`, groups };
    const own = caller.audiences ?? ['https://kubernetes.default.svc'];
    const asked = spec.audiences ?? ['https://kubernetes.default.svc'];
    const audiences = own.filter((audience) => asked.includes(audience));
    return audiences.length === 0
      ? { error: 'token audiences' }
      : { authenticated: true, user, audiences };
  }

  private allows({ spec }: Review): boolean {
    const { namespace, verb, group, resource, subresource } = spec.resourceAttributes ?? {};
    if (namespace !== this.namespace || group !== 'tekton.dev') return false;
    const what = `${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}`;
    return [...this.callers.values()].some(
      ({ user, may }) => user === spec.user && may.includes(what),
    );
  }

  private create(map: ConfigMap): Reply {
    const { name } = map.metadata;
    if (this.configMaps.has(name)) return failure(409, `configmaps "${name}" already exists`);
    this.versions += 1;
    const version = String(this.versions);
    const made = {
      ...map,
      metadata: { ...map.metadata, uid: `uid-${version}`, resourceVersion: version },
    };
    this.configMaps.set(name, made);
    return [201, made];
  }

  private read(name: string): Reply {
    const map = this.configMaps.get(name);
    return map === undefined ? failure(404, `configmaps "${name}" not found`) : [200, map];
  }

  /** Pages of `limit`, at most two: a client has to follow `continue`. */
  private list(query: URLSearchParams): Reply {
    const [key = '', value] = (query.get('labelSelector') ?? '').split('=');
    const found = [...this.configMaps.values()].filter(
      ({ metadata }) => metadata.labels?.[key] === value,
    );
    const from = Number(query.get('continue') ?? 0);
    const items = found.slice(from, from + 2);
    const next = from + 2 < found.length ? { continue: String(from + 2) } : {};
    return [200, { metadata: next, items }];
  }

  private delete(name: string, { preconditions }: Deletion): Reply {
    const map = this.configMaps.get(name);
    if (map === undefined) return failure(404, `configmaps "${name}" not found`);
    const { uid, resourceVersion } = map.metadata;
    const is = { uid, resourceVersion };
    for (const key of ['uid', 'resourceVersion'] as const)
      if (preconditions?.[key] !== undefined && preconditions[key] !== is[key])
        return failure(409, `the ${key} in the precondition is another`);
    this.configMaps.delete(name);
    return [200, { kind: 'Status', status: 'Success' }];
  }
}

interface Deletion {
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

const verbs: Readonly<Record<string, string>> = { GET: 'get', POST: 'create', DELETE: 'delete' };

function failure(code: number, message: string): Reply {
  return [code, { kind: 'Status', status: 'Failure', message, code }];
}
