import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { ClusterChange } from '../../engine/tekton/cluster.ts';
import { ApiError, type KubernetesApi } from './kubernetes-api.ts';

export interface ListWatchOptions<Item> {
  /** `labelSelector`, … */
  readonly query: Readonly<Record<string, string>>;
  /** An object as it is kept; undefined: it is none of ours. It is called for each object at once, so that none is kept whole. */
  readonly read: (object: unknown) => Item | undefined;
  readonly signal: AbortSignal;
  /** Seconds after which the server ends a watch, to be begun anew. Default: 30. */
  readonly seconds?: number;
  /** Milliseconds beyond that after which a watch that says nothing is dead. Default: 5000. */
  readonly slack?: number;
  /** Milliseconds before trouble is tried again, at most. Default: 5000. */
  readonly longestWait?: number;
}

const List = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().optional() }),
  items: z.array(z.unknown()),
});
const WatchEvent = z.object({
  type: z.enum(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']),
  object: z.looseObject({
    metadata: z.looseObject({ resourceVersion: z.string().optional() }).optional(),
    code: z.number().optional(),
    message: z.string().optional(),
  }),
});

/** Objects at a time: a list of thousands never lies in memory as one text. */
const pageSize = 250;

/**
 * Follows a set of objects for as long as `signal` lets it, whatever happens: a watch that ends, stalls or is cut begins again where it was; where
 * the server has forgotten that place (410), all is listed anew. Each change is told at least once, in order.
 */
export async function* listWatch<Item>(
  api: KubernetesApi,
  path: string,
  options: ListWatchOptions<Item>,
): AsyncGenerator<ClusterChange<Item>> {
  const thread: Thread = { place: undefined, failures: 0 };
  while (!options.signal.aborted) {
    try {
      yield* goOn(api, path, thread, options);
    } catch (error) {
      await afterTrouble(error, thread, options);
    }
  }
}

/** Where a watch is, and how often in a row it could not go on. */
interface Thread {
  place: string | undefined;
  failures: number;
}

async function* goOn<Item>(
  api: KubernetesApi,
  path: string,
  thread: Thread,
  options: ListWatchOptions<Item>,
): AsyncGenerator<ClusterChange<Item>> {
  if (thread.place === undefined) {
    const listed = await list(api, path, options);
    thread.place = listed.resourceVersion;
    yield { kind: 'all', ...listed };
  }
  const began = performance.now();
  for await (const { change, resourceVersion } of watch(api, path, thread.place, options)) {
    thread.place = resourceVersion ?? thread.place;
    thread.failures = 0;
    if (change !== undefined) yield change;
  }
  // A server that is about to end answers, and says nothing.
  if (performance.now() - began < 500) throw new Error('the watch ended at once');
}

async function afterTrouble(
  error: unknown,
  thread: Thread,
  { signal, longestWait = 5000 }: Pick<ListWatchOptions<unknown>, 'signal' | 'longestWait'>,
): Promise<void> {
  const forgotten = error instanceof ApiError && error.status === 410;
  if (forgotten) thread.place = undefined;
  thread.failures += 1;
  if (signal.aborted || (forgotten && thread.failures === 1)) return;
  const wait = Math.min(longestWait, 50 * 2 ** Math.min(thread.failures, 10));
  await sleep(wait * (0.75 + Math.random() / 2), undefined, { signal }).catch(() => {});
}

/** All objects, page by page. */
export async function list<Item>(
  api: KubernetesApi,
  path: string,
  { query, read, signal }: Pick<ListWatchOptions<Item>, 'query' | 'read' | 'signal'>,
): Promise<{ readonly items: readonly Item[]; readonly resourceVersion: string }> {
  const items: Item[] = [];
  for (let next: string | undefined; ; ) {
    const more = { limit: pageSize, continue: next };
    const page = List.parse(await api.ask('GET', path, { query: { ...query, ...more }, signal }));
    for (const object of page.items) {
      const item = read(object);
      if (item !== undefined) items.push(item);
    }
    next = page.metadata.continue || undefined;
    if (next === undefined) return { items, resourceVersion: page.metadata.resourceVersion };
  }
}

interface Told<Item> {
  readonly change?: ClusterChange<Item>;
  readonly resourceVersion?: string | undefined;
}

/** One watch, to its end. Throws {@link ApiError} 410 where its place is forgotten. */
async function* watch<Item>(
  api: KubernetesApi,
  path: string,
  resourceVersion: string,
  { query, read, signal, seconds = 30, slack = 5000 }: ListWatchOptions<Item>,
): AsyncGenerator<Told<Item>> {
  const pieces = api.stream(path, {
    query: {
      ...query,
      ...{ watch: 'true', allowWatchBookmarks: 'true', resourceVersion, timeoutSeconds: seconds },
    },
    signal,
    idle: seconds * 1000 + slack,
  });
  for await (const line of linesOf(pieces)) {
    const { type, object } = WatchEvent.parse(JSON.parse(line));
    if (type === 'ERROR') throw new ApiError(object.code ?? 500, 'watch', object.message ?? line);
    const told = { resourceVersion: object.metadata?.resourceVersion };
    const item = type === 'BOOKMARK' ? undefined : read(object);
    if (item === undefined) yield told;
    else yield { ...told, change: { kind: type === 'DELETED' ? 'gone' : 'put', item } };
  }
}

/**
 * Text in pieces as lines, without those that are empty; an unfinished one at the end is left out. Of a line of more than `longest` characters, the rest is
 * left out.
 */
export async function* linesOf(
  pieces: AsyncIterable<Buffer>,
  longest = Number.POSITIVE_INFINITY,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest: string[] = [];
  let room = longest;
  for await (const piece of pieces) {
    const [first = '', ...more] = decoder.decode(piece, { stream: true }).split('\n');
    if (room > 0) rest.push(first.slice(0, room));
    room -= first.length;
    if (more.length === 0) continue;
    const whole = rest.join('');
    if (whole !== '') yield whole;
    const last = more.pop() ?? '';
    for (const line of more) if (line !== '') yield line.slice(0, longest);
    rest = [last.slice(0, longest)];
    room = longest - last.length;
  }
}
