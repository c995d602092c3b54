import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { demoBuild } from '../../test/support/demo-build.ts';
import type { BuildChange } from '../builds/event.ts';
import type { BuildStore } from '../engine/local/store.ts';
import { openSqliteStore } from './sqlite-store.ts';

let folder: string;
let store: BuildStore;
const file = () => join(folder, 'tributary.sqlite');
const build = demoBuild();
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tributary-store-'));
  store = openSqliteStore(file());
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

function append(...changes: BuildChange[]): void {
  const numbered = changes.map((change) => ({ change, sequence: 0 }));
  store.append(build.tag, 1, '2026-01-01T00:00:00.000Z', numbered);
}

test('what was written is there after it is opened again', () => {
  store.insert(build);
  append({ kind: 'queued' });
  const before = store.find(build.tag);
  store.close();
  store = openSqliteStore(file());
  expect(store.find(build.tag)).toEqual(before);
  expect(store.findRun(build.pipelinerun)?.asked).toEqual(build);
});

test('is as durable as SQLite can be', () => {
  const database = new DatabaseSync(file());
  expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
  database.close();
});

test('refuses a file of a newer version', () => {
  const database = new DatabaseSync(file());
  database.exec('PRAGMA user_version = 99');
  database.close();
  expect(() => openSqliteStore(file())).toThrow('newer version of Tributary (schema 99)');
});

test('an event that was told before is neither kept nor counted again', () => {
  store.insert(build);
  append({ kind: 'queued' }, { kind: 'started' }, { kind: 'succeeded' });
  append({ kind: 'started' }, { kind: 'queued' });
  expect(store.events(build.tag, 0).map(({ event }) => event.id)).toEqual([
    ...['1/build/queued', '1/build/started', '1/build/succeeded'],
  ]);
  expect(store.find(build.tag)?.state).toBe('succeeded');
});

test('a transaction that throws leaves nothing behind', () => {
  expect(() =>
    store.atomically(() => {
      store.insert(build);
      throw new Error('no');
    }),
  ).toThrow('no');
  expect(store.find(build.tag)).toBeUndefined();
  store.insert(build);
});

test('neither a tag nor a pipelinerun is there twice', () => {
  store.insert(build);
  expect(() => store.insert(build)).toThrow();
  expect(() => store.insert({ ...demoBuild('other'), pipelinerun: build.pipelinerun })).toThrow();
  expect(store.find(demoBuild('other').tag)).toBeUndefined();
});

test('an owner is forgotten when the build is over', () => {
  store.insert(build);
  append({ kind: 'queued' }, { kind: 'started' });
  store.setOwner(build.tag, 'someone');
  append({ kind: 'step-started', step: 'prepare' });
  expect(store.find(build.tag)?.owner).toBe('someone');
  append({ kind: 'succeeded' });
  expect(store.find(build.tag)?.owner).toBeNull();
});

test('tells what other processes write, and not what it writes itself', async () => {
  const heard = vi.fn();
  const unwatch = store.watch(heard);
  store.insert(build);
  append({ kind: 'queued' });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(heard).not.toHaveBeenCalled();
  const other = openSqliteStore(file());
  other.append(build.tag, 1, '2026-01-01T00:00:00.000Z', [
    { change: { kind: 'started' }, sequence: 0 },
  ]);
  await vi.waitFor(() => expect(heard).toHaveBeenCalled());
  other.close();
  unwatch();
});

test('a cursor that nobody gave out begins at the newest build', () => {
  store.insert(build);
  expect(store.list({ limit: 10, after: "1' OR 1=1" }).builds).toHaveLength(1);
});
