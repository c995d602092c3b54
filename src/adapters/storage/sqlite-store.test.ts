import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { demoBuild } from '../../../test/support/demo-build.ts';
import type { BuildChange } from '../../builds/event.ts';
import type { BuildStore } from '../../engine/local/store.ts';
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

/** What can become of a database file; the store is closed, and holds builds. */
const damages: readonly (readonly [what: string, damage: (path: string) => void])[] = [
  ['of which the header is garbage', (path) => overwrite(path, 0, 100)],
  ['of which a page is garbage', (path) => overwrite(path, 4096, 4096)],
  ['that was cut in the middle', (path) => truncateSync(path, statSync(path).size / 2)],
  ['that was emptied', (path) => truncateSync(path, 0)],
  ['that is gone', (path) => rmSync(path)],
  ['with other tables', (path) => changed(path, 'PRAGMA user_version = 0; DROP TABLE events')],
];

test.for(damages)('a database %s is refused with the way back, and left as it is', ([, damage]) => {
  for (let number = 0; number < 40; number++) store.insert(demoBuild(`build-${number}`));
  store.close();
  damage(file());
  const before = existsSync(file()) ? readFileSync(file()) : Buffer.of();
  expect(() => openSqliteStore(file(), { check: true, lost: true })).toThrow(
    expect.objectContaining({
      failures: [
        expect.objectContaining({
          reason: 'bad-state',
          detail: expect.stringContaining(file()),
          hint: expect.stringContaining('`tributary recover`'),
        }),
      ],
    }),
  );
  expect(existsSync(file()) ? readFileSync(file()) : Buffer.of()).toEqual(before);
  rmSync(file(), { force: true });
  store = openSqliteStore(file());
});

test('a database whose log file was removed after a crash is not taken for a new one', () => {
  store.insert(build);
  const lost = join(folder, 'lost.sqlite');
  // As long as nobody closes it, everything is in the log alone.
  copyFileSync(file(), lost);
  expect(() => openSqliteStore(lost, { lost: true })).toThrow('is damaged: it holds nothing');
});

test('a page that turns out to be garbage while it works is said as such', () => {
  for (let number = 0; number < 40; number++) store.insert(demoBuild(`build-${number}`));
  store.close();
  overwrite(file(), 4096, 4096);
  store = openSqliteStore(file());
  expect(() => store.list({ limit: 100 })).toThrow('is damaged');
});

test('refuses a file of a newer version, which is not damaged', () => {
  changed(file(), 'PRAGMA user_version = 99');
  const newer = /newer version of Tributary \(its schema is 99.*\n {2}(?!.*recover)/;
  expect(() => openSqliteStore(file(), { check: true })).toThrow(newer);
});

test('a database of the first version is brought up to date, with all that is in it', () => {
  store.insert(build);
  append({ kind: 'queued' }, { kind: 'started' });
  store.setOwner(build.tag, 'someone');
  const before = [store.find(build.tag), store.events(build.tag, 0)];
  store.close();
  const later = 'DROP INDEX builds_by_requester; ALTER TABLE builds DROP COLUMN requester';
  changed(file(), `DROP TABLE days; DROP TABLE approvals; ${later}; PRAGMA user_version = 1`);
  store = openSqliteStore(file());
  const { requester } = build;
  expect(store.list({ limit: 9, requester }).builds).toHaveLength(1);
  expect(store.list({ limit: 9, requester: 'somebody else' }).builds).toEqual([]);
  expect([store.find(build.tag), store.events(build.tag, 0)]).toEqual(before);
  store.removeOld(new Date(), 14);
});

function overwrite(path: string, at: number, length: number): void {
  const descriptor = openSync(path, 'r+');
  writeSync(descriptor, Buffer.alloc(length, 'garbage '), 0, length, at);
  closeSync(descriptor);
}

function changed(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

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
  await vi.waitFor(() => expect(heard).toHaveBeenCalled(), 10_000);
  other.close();
  unwatch();
});

test('a cursor that nobody gave out begins at the newest build', () => {
  store.insert(build);
  expect(store.list({ limit: 10, after: "1' OR 1=1" }).builds).toHaveLength(1);
});
