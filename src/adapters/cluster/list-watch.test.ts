import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeApiServer } from '../../../test/support/fake-api-server.ts';
import type { ClusterChange } from '../../engine/tekton/cluster.ts';
import { createKubernetesApi } from './kubernetes-api.ts';
import { type ListWatchOptions, linesOf, listWatch } from './list-watch.ts';

const path = '/apis/tekton.dev/v1/namespaces/builds/pipelineruns';

describe('a list-watch', () => {
  let server: FakeApiServer;
  let stop: AbortController;
  /** What it knows, by name. */
  let known: Map<string, string>;
  let changes: ClusterChange<[string, string]>[];
  beforeEach(async () => {
    server = await FakeApiServer.start();
    stop = new AbortController();
    known = new Map();
    changes = [];
  });
  afterEach(async () => {
    stop.abort();
    await server.stop();
  });

  function put(name: string, value: string, labels = { ours: 'yes' }): void {
    server.put(path, { metadata: { name, labels }, value });
  }

  async function follow(options: Partial<ListWatchOptions<[string, string]>> = {}): Promise<void> {
    const patience = { total: 0, first: 1, longest: 1 };
    const api = createKubernetesApi(server.connection, { patience });
    const watching = listWatch<[string, string]>(api, path, {
      query: { labelSelector: 'ours' },
      read: (object) => {
        const { metadata, value } = object as { metadata: { name: string }; value: string };
        return [metadata.name, value];
      },
      signal: stop.signal,
      longestWait: 100,
      ...options,
    });
    for await (const change of watching) {
      changes.push(change);
      if (change.kind === 'all') known = new Map(change.items);
      else if (change.kind === 'put') known.set(...change.item);
      else known.delete(change.item[0]);
    }
  }

  const knows = (...entries: [string, string][]) =>
    vi.waitFor(() => expect([...known].toSorted()).toEqual(entries), 5000);

  test('tells all of them first, in pages, and then what changes', async () => {
    const many = Array.from({ length: 600 }, (_, index) => `run-${String(index).padStart(3, '0')}`);
    for (const name of many) put(name, 'old');
    put('not-ours', 'old', {} as never);
    const watching = follow();
    await vi.waitFor(() => expect(known.size).toBe(600), 10_000);
    expect(server.requests.filter((one) => one.startsWith('GET'))).toHaveLength(3);
    put('run-007', 'new');
    put('not-ours', 'new', {} as never);
    server.remove(path, 'run-008');
    await vi.waitFor(() => expect(known.size).toBe(599), 10_000);
    expect(known.get('run-007')).toBe('new');
    expect(changes).toHaveLength(3);
    stop.abort();
    await watching;
  });

  test('goes on where it was when it is cut, and when the server ends it', async () => {
    put('one', 'a');
    void follow({ seconds: 1 });
    await knows(['one', 'a']);
    for (const value of ['b', 'c', 'd']) {
      server.cut();
      put('one', value);
      await knows(['one', value]);
    }
    await sleep(1200);
    put('two', 'a');
    await knows(['one', 'd'], ['two', 'a']);
    // Never listed again: nothing was lost.
    expect(changes.filter(({ kind }) => kind === 'all')).toHaveLength(1);
  });

  test('does not believe in a silence', async () => {
    put('one', 'a');
    void follow({ seconds: 0.3, slack: 300 });
    await knows(['one', 'a']);
    server.stall();
    put('one', 'b');
    await knows(['one', 'b']);
    expect(changes.filter(({ kind }) => kind === 'all')).toHaveLength(1);
  });

  test('lists anew where its place is forgotten, and sees what is gone', async () => {
    put('one', 'a');
    put('two', 'a');
    void follow();
    await knows(['one', 'a'], ['two', 'a']);
    server.cut();
    server.remove(path, 'one');
    put('two', 'b');
    server.compact();
    await knows(['two', 'b']);
    expect(changes.filter(({ kind }) => kind === 'all')).toHaveLength(2);
  });

  test('outlives an API server that is away and comes back as another', async () => {
    put('one', 'a');
    void follow();
    await knows(['one', 'a']);
    await server.stop();
    server.remove(path, 'one');
    put('two', 'a');
    server.compact();
    await sleep(300);
    await server.restart();
    await knows(['two', 'a']);
  });

  test('waits between tries of a server that refuses or hangs up at once', async () => {
    put('one', 'a');
    server.refuse(500, 8);
    void follow({ seconds: 0.001, longestWait: 200 });
    await vi.waitFor(() => expect(known.size).toBe(1), 10_000);
    const before = server.requests.length;
    await sleep(1000);
    expect(server.requests.length - before).toBeLessThan(20);
  });

  test('ends when it is told to, also in the middle of a wait', async () => {
    await server.stop();
    const watching = follow({ longestWait: 60_000 });
    await sleep(100);
    stop.abort();
    await watching;
    await server.restart();
  });
});

test.for([
  [
    ['one\nt', 'wo\n\nthree\nunfinished'],
    ['one', 'two', 'three'],
  ],
  [
    ['1234', '567', '89\n12345678\nshort\n'],
    ['12345', '12345', 'short'],
  ],
] as const)('%j are the lines %j, the longest of five characters', async ([pieces, lines]) => {
  async function* given() {
    for (const piece of pieces) yield Buffer.from(piece);
  }
  const read: string[] = [];
  for await (const line of linesOf(given(), 5)) read.push(line);
  expect(read).toEqual(lines);
});
