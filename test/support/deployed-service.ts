import { setTimeout as sleep } from 'node:timers/promises';
import type { BuildEvent } from '../../src/builds/event.ts';
import { parseEvents, type SentEvent } from '../../src/cli/parse-events.ts';
import { createNamespace, type TestCluster, type TestNamespace } from './cluster.ts';
import { type ClusterDemo, installService } from './cluster-demo.ts';
import type { Json } from './service.ts';

/** A pod of the service, where this machine reaches it. */
export interface Replica {
  readonly pod: string;
  readonly url: string;
}

/** What was heard of a build by somebody who came back whenever the connection broke. */
export interface Followed {
  readonly events: readonly BuildEvent[];
  /** How often it broke. */
  readonly breaks: number;
}

/** The service as `deploy/` installs it, in a namespace of its own, and what one does with it. */
export interface DeployedService extends AsyncDisposable {
  readonly space: TestNamespace;
  /** Path of its remote. */
  readonly remote: string;
  /** Those that are ready. */
  replicas(): Promise<readonly Replica[]>;
  /** Waits until there are as many as there should be. */
  whole(): Promise<readonly Replica[]>;
  /** Ends pods at once, as a node does that is gone. */
  kill(...replicas: readonly Replica[]): Promise<void>;
  get(replica: Replica, path: string): Promise<{ status: number; body: Json }>;
  post(replica: Replica, path: string, body?: object): Promise<{ status: number; body: Json }>;
  text(replica: Replica, path: string): Promise<string>;
  /** What a replica tells of a build, after the event with the id `after`. */
  events(replica: Replica, tag: string, after?: string): AsyncGenerator<SentEvent>;
  /** All events of a build to its end, from whichever replica answers. */
  follow(tag: string): Promise<Followed>;
}

/** Installs it; who asks is a ServiceAccount that may ask and vouch. */
export async function deployService(
  cluster: TestCluster,
  prefix: string,
  demo: ClusterDemo,
  configuration: Readonly<Record<string, unknown>> = {},
): Promise<DeployedService> {
  const space = await createNamespace(cluster, prefix);
  const remote = await installService(cluster, space, demo, configuration);
  await space.kubectl(['create', 'serviceaccount', 'ada']);
  for (const role of ['builder', 'approver'])
    await space.kubectl([
      ...['create', 'rolebinding', `ada-${role}`, `--role=tributary-${role}`],
      `--serviceaccount=${space.name}:ada`,
    ]);
  const token = (await space.kubectl(['create', 'token', 'ada'])).trim();
  const send = (replica: Replica, path: string, init: RequestInit = {}) =>
    fetch(`${replica.url}${path}`, {
      ...init,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        ...(init.headers as Record<string, string> | undefined),
      },
    });
  const answer = async (response: Response) => ({
    status: response.status,
    body: (await response.json()) as Json,
  });
  const service: DeployedService = {
    ...{ space, remote },
    replicas: () => readyReplicas(space),
    async whole() {
      // What a Deployment says of itself may be old, after its controller could not look for a while.
      for (const began = Date.now(); ; await sleep(200)) {
        await space.kubectl(['rollout', 'status', 'deployment/tributary', '--timeout=60s']);
        const ready = await readyReplicas(space);
        if (ready.length === 2 || Date.now() - began > 60_000) return ready;
      }
    },
    kill: async (...replicas) => {
      const pods = replicas.map(({ pod }) => pod);
      await space.kubectl(['delete', 'pod', ...pods, '--force', '--grace-period=0']);
    },
    get: async (replica, path) => answer(await send(replica, path)),
    post: async (replica, path, body = {}) =>
      answer(await send(replica, path, { method: 'POST', body: JSON.stringify(body) })),
    text: async (replica, path) => (await send(replica, path)).text(),
    events: (replica, tag, after) => hear(replica, send, tag, after),
    follow: (tag) => follow(service, tag),
    async [Symbol.asyncDispose]() {
      await space[Symbol.asyncDispose]();
      await cluster.kubectl([
        ...['delete', 'clusterrolebinding', `tributary:${space.name}`, '--ignore-not-found'],
      ]);
    },
  };
  return service;
}

async function readyReplicas({ kubectl }: TestNamespace): Promise<readonly Replica[]> {
  const selector = 'app.kubernetes.io/component=service';
  const { items } = JSON.parse(
    await kubectl(['get', 'pods', '--selector', selector, '--output=json']),
  ) as { items: Json[] };
  return items
    .filter(
      ({ metadata, status }) =>
        metadata.deletionTimestamp === undefined &&
        status.conditions?.some((one: Json) => one.type === 'Ready' && one.status === 'True'),
    )
    .map(({ metadata, status }) => ({
      pod: metadata.name,
      // Our cluster's pods are reachable from its machine.
      url: `http://${status.podIP}:8080`,
    }));
}

type Send = (replica: Replica, path: string, init?: RequestInit) => Promise<Response>;

async function follow(
  service: Pick<DeployedService, 'replicas' | 'events'>,
  tag: string,
): Promise<Followed> {
  const events: BuildEvent[] = [];
  let last: string | undefined;
  const take = async (replica: Replica) => {
    for await (const { id, event } of service.events(replica, tag, last)) {
      events.push(event);
      last = id;
    }
  };
  for (let breaks = 0; ; breaks += 1) {
    // A pod that is gone breaks off: another one tells the rest.
    for (const replica of await service.replicas()) await take(replica).catch(() => {});
    if (ends.includes(events.at(-1)?.kind ?? '')) return { events, breaks };
  }
}

/** Kinds of events that are the last of a build. */
export const ends: readonly string[] = ['succeeded', 'failed', 'cancelled'];

async function* hear(
  replica: Replica,
  send: Send,
  tag: string,
  after: string | undefined,
): AsyncGenerator<SentEvent> {
  const headers = after === undefined ? {} : { 'last-event-id': after };
  const response = await send(replica, `/api/builds/${tag}/events`, { headers });
  if (response.status === 200 && response.body !== null) yield* parseEvents(response.body);
}
