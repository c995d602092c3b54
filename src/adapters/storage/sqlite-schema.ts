import type { DatabaseSync } from 'node:sqlite';
import { type Failure, FailureError } from '../../builds/failure.ts';
import { emptied } from './sqlite-trouble.ts';

/** Each entry brings a database from the version of its place to the next one; entries are only ever added. */
const migrations: readonly string[] = [
  `CREATE TABLE builds (
     sequence INTEGER PRIMARY KEY AUTOINCREMENT,
     tag TEXT NOT NULL UNIQUE,
     pipelinerun TEXT NOT NULL UNIQUE,
     name TEXT NOT NULL,
     asked TEXT NOT NULL,     -- NewBuild as JSON
     state TEXT NOT NULL,     -- as the fold of its events says
     attempt INTEGER NOT NULL,
     queued INTEGER NOT NULL, -- its number in the queue
     owner TEXT               -- the process that runs it
   ) STRICT;
   CREATE INDEX builds_by_state ON builds (state, queued);
   CREATE INDEX builds_by_name ON builds (name);
   CREATE TABLE named_components (
     tag TEXT NOT NULL REFERENCES builds (tag),
     component TEXT NOT NULL,
     PRIMARY KEY (tag, component)
   ) STRICT;
   CREATE TABLE events (
     sequence INTEGER PRIMARY KEY AUTOINCREMENT,
     tag TEXT NOT NULL REFERENCES builds (tag),
     id TEXT NOT NULL,
     at TEXT NOT NULL,
     event TEXT NOT NULL,     -- BuildEvent as JSON
     UNIQUE (tag, id)
   ) STRICT;
   CREATE INDEX events_in_order ON events (tag, sequence);`,
  // Days (YYYY-MM-DD) on which somebody looked for what is to be forgotten.
  'CREATE TABLE days (day TEXT PRIMARY KEY) STRICT;',
  // Commits that somebody vouches for.
  'CREATE TABLE approvals ("commit" TEXT PRIMARY KEY, ref TEXT NOT NULL, "by" TEXT NOT NULL, at TEXT NOT NULL) STRICT;',
  // Who asked for the latest attempt.
  `ALTER TABLE builds ADD COLUMN requester TEXT NOT NULL DEFAULT '';
   UPDATE builds SET requester = coalesce(json_extract(asked, '$.requester'), '');
   CREATE INDEX builds_by_requester ON builds (requester);`,
];

/**
 * Creates the tables, or brings those of an older version up to date, in one transaction. Throws FailureError
 * `bad-state` where a newer version wrote them, or there are none and `lost` says that there should be.
 */
export function prepareSchema(database: DatabaseSync, file: string, lost: boolean): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
    if (version > migrations.length) throw new FailureError(newer(file, version));
    if (version === 0 && lost) throw new FailureError(emptied(file));
    for (const migration of migrations.slice(version)) database.exec(migration);
    database.exec(`PRAGMA user_version = ${migrations.length}`);
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

function newer(file: string, version: number): Failure {
  return {
    reason: 'bad-state',
    detail: `The database ${file} was written by a newer version of Tributary (its schema is ${version}, this version knows ${migrations.length}).`,
    hint: 'Nothing was changed. Use that version again, or name another `state` folder in the configuration.',
  };
}
