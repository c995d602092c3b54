import { statSync, watch as watchFile } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { BuildState, NewBuild } from '../../builds/build.ts';
import { type BuildEvent, eventId } from '../../builds/event.ts';
import { FailureError } from '../../builds/failure.ts';
import { nextState } from '../../builds/fold.ts';
import type { BuildStore, StoredBuild } from '../../engine/local/store.ts';
import { prepareSchema } from './sqlite-schema.ts';
import { damaged, emptied, explained, explaining } from './sqlite-trouble.ts';

/** Milliseconds that a writer waits for another process. */
const patience = 10_000;

export interface SqliteStoreOptions {
  /** True: whether the whole file is sound is looked at, too. Default: what is met. */
  readonly check?: boolean;
  /** True: there were builds, so that a file without any is damaged. */
  readonly lost?: boolean;
}

/**
 * The local engine's store in one SQLite file. synchronous=FULL: what was answered to a caller
 * survives the machine's loss of power. Everything throws FailureError `bad-state` where the file is damaged or of a newer
 * version, and `disk-full`.
 */
export function openSqliteStore(file: string, options: SqliteStoreOptions = {}): BuildStore {
  return explaining(file, () => {
    const database = openDatabase(file, options);
    return explained(file, storeOn(database, file));
  });
}

function openDatabase(file: string, { check = false, lost = false }: SqliteStoreOptions) {
  // SQLite would begin to write a new one.
  if (lost && (statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0)
    throw new FailureError(emptied(file));
  const database = new DatabaseSync(file, { timeout: patience });
  try {
    database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON');
    if (check) {
      const found = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
      if (found !== 'ok') throw new FailureError(damaged(file, String(found)));
    }
    prepareSchema(database, file, lost);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function storeOn(database: DatabaseSync, file: string): BuildStore {
  const statements = prepareStatements(database);
  let inTransaction = false;

  function atomically<Value>(work: () => Value): Value {
    if (inTransaction) return work();
    // IMMEDIATE: two processes that read and then write must not both see the state before.
    database.exec('BEGIN IMMEDIATE');
    inTransaction = true;
    try {
      const value = work();
      database.exec('COMMIT');
      return value;
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    } finally {
      inTransaction = false;
    }
  }

  return {
    atomically,
    find: (tag) => readOne(statements.find.get(tag)),
    findRun: (pipelinerun) => readOne(statements.findRun.get(pipelinerun)),
    insert: (asked) =>
      atomically(() => {
        const { tag, pipelinerun, lock, requester } = asked;
        statements.insert.run(tag, pipelinerun, lock.name, requester, JSON.stringify(asked));
        for (const component of Object.keys(asked.read)) statements.name.run(asked.tag, component);
      }),
    enqueue: (asked, attempt) => {
      statements.enqueue.run(attempt, asked.requester, JSON.stringify(asked), asked.tag);
    },
    append: (tag, attempt, at, changes) =>
      atomically(() => {
        let state = readOne(statements.find.get(tag))?.state ?? 'queued';
        // A clock that was set back does not make an event older than the one before it.
        const last = String(statements.lastTime.get(tag)?.['at'] ?? '');
        const time = at > last ? at : last;
        for (const { change, sequence } of changes) {
          const event: BuildEvent = {
            ...change,
            id: eventId(attempt, change, sequence),
            at: time,
            attempt,
          };
          const added = statements.append.run(tag, event.id, time, JSON.stringify(event));
          if (added.changes > 0) state = nextState(state, change);
        }
        statements.setState.run(state, state, tag);
      }),
    events: (tag, after) =>
      statements.events.all(tag, after).map((row) => ({
        sequence: Number(row['sequence']),
        event: JSON.parse(String(row['event'])) as BuildEvent,
      })),
    open: () => statements.open.all().map(readBuild),
    setOwner: (tag, owner) => void statements.setOwner.run(owner, tag),
    list: (query) => {
      const rows = statements.list.all({
        state: query.state ?? null,
        name: query.name ?? null,
        component: query.component ?? null,
        requester: query.requester ?? null,
        before: readCursor(query.after),
        limit: query.limit + 1,
      });
      const page = rows.slice(0, query.limit);
      const last = page.at(-1);
      const next = rows.length > page.length && last ? String(last['sequence']) : null;
      return { builds: page.map(readBuild), next };
    },
    removeOld: (now, days) =>
      atomically(() => {
        statements.addDay.run(now.toISOString().slice(0, 10));
        const before = new Date(now.getTime() - days * 24 * 60 * 60 * 1000).toISOString();
        for (const { tag } of statements.old.all({ before, days: Math.floor(days) }))
          for (const statement of statements.remove) statement.run(String(tag));
      }),
    watch: (listener) => {
      let version = readVersion(database);
      // Every commit of any process writes the log, which stays while this connection is open; the
      // version changes only where it was another connection.
      const watcher = watchFile(`${file}-wal`, { persistent: false }, () => {
        if (!database.isOpen || version === readVersion(database)) return;
        version = readVersion(database);
        listener();
      });
      watcher.on('error', () => {});
      return () => watcher.close();
    },
    close: () => database.close(),
  };
}

function prepareStatements(database: DatabaseSync) {
  const position = `CASE WHEN state = 'queued' THEN
    (SELECT count(*) FROM builds AS other WHERE other.state = 'queued' AND other.queued <= builds.queued)
    END AS position`;
  const columns = `sequence, asked, state, attempt, owner, ${position}`;
  return {
    find: database.prepare(`SELECT ${columns} FROM builds WHERE tag = ?`),
    findRun: database.prepare(`SELECT ${columns} FROM builds WHERE pipelinerun = ?`),
    insert: database.prepare(
      `INSERT INTO builds (tag, pipelinerun, name, requester, asked, state, attempt, queued) VALUES (?, ?, ?, ?, ?, 'queued', 1, 0)`,
    ),
    name: database.prepare('INSERT INTO named_components (tag, component) VALUES (?, ?)'),
    enqueue: database.prepare(
      `UPDATE builds SET attempt = ?, requester = ?, asked = ?, state = 'queued', owner = NULL,
         queued = (SELECT coalesce(max(queued), 0) + 1 FROM builds) WHERE tag = ?`,
    ),
    append: database.prepare(
      'INSERT OR IGNORE INTO events (tag, id, at, event) VALUES (?, ?, ?, ?)',
    ),
    lastTime: database.prepare(
      'SELECT at FROM events WHERE tag = ? ORDER BY sequence DESC LIMIT 1',
    ),
    setState: database.prepare(
      `UPDATE builds SET state = ?1, owner = CASE WHEN ?2 IN ('queued', 'running') THEN owner END WHERE tag = ?3`,
    ),
    events: database.prepare(
      'SELECT sequence, event FROM events WHERE tag = ? AND sequence > ? ORDER BY sequence',
    ),
    open: database.prepare(
      `SELECT ${columns} FROM builds WHERE state IN ('queued', 'running') ORDER BY state = 'queued', queued`,
    ),
    setOwner: database.prepare('UPDATE builds SET owner = ? WHERE tag = ?'),
    list: database.prepare(
      `SELECT ${columns} FROM builds
       WHERE (:state IS NULL OR state = :state) AND (:name IS NULL OR name = :name)
         AND (:requester IS NULL OR requester = :requester)
         AND (:component IS NULL OR EXISTS (SELECT 1 FROM named_components AS named
              WHERE named.tag = builds.tag AND named.component = :component))
         AND (:before IS NULL OR sequence < :before)
       ORDER BY sequence DESC LIMIT :limit`,
    ),
    addDay: database.prepare('INSERT OR IGNORE INTO days (day) VALUES (?)'),
    old: database.prepare(
      `SELECT tag FROM (
         SELECT tag, (SELECT max(at) FROM events WHERE events.tag = builds.tag) AS last
         FROM builds WHERE state NOT IN ('queued', 'running'))
       WHERE last < :before
         AND (SELECT count(*) FROM days WHERE day > substr(last, 1, 10)) >= :days`,
    ),
    remove: ['events', 'named_components', 'builds'].map((table) =>
      database.prepare(`DELETE FROM ${table} WHERE tag = ?`),
    ),
  };
}

function readVersion(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA data_version').get()?.['data_version']);
}

type Row = Record<string, unknown>;

function readOne(row: Row | undefined): StoredBuild | undefined {
  return row && readBuild(row);
}

function readBuild(row: Row): StoredBuild {
  return {
    asked: JSON.parse(String(row['asked'])) as NewBuild,
    state: row['state'] as BuildState,
    attempt: Number(row['attempt']),
    queuePosition: row['position'] === null ? null : Number(row['position']),
    owner: row['owner'] as string | null,
  };
}

/** A cursor that nobody gave out begins at the newest build. */
function readCursor(after: string | undefined): number | null {
  return after !== undefined && /^\d{1,15}$/.test(after) ? Number(after) : null;
}
