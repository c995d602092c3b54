import { DatabaseSync } from 'node:sqlite';
import type { Approval, Approvals } from '../../access/approvals.ts';
import { prepareSchema } from './sqlite-schema.ts';
import { explaining } from './sqlite-trouble.ts';

/** Approvals in the SQLite file of a state folder. Throws FailureError as openSqliteStore does. */
export function openSqliteApprovals(file: string): Approvals & { close(): void } {
  return explaining(file, () => {
    const database = new DatabaseSync(file, { timeout: 10_000 });
    database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL');
    prepareSchema(database, file, false);
    return approvalsIn(database, file);
  });
}

function approvalsIn(database: DatabaseSync, file: string): Approvals & { close(): void } {
  const columns = '"commit", ref, "by", at';
  const find = database.prepare(`SELECT ${columns} FROM approvals WHERE "commit" = ?`);
  const list = database.prepare(`SELECT ${columns} FROM approvals ORDER BY at DESC`);
  const add = database.prepare(`INSERT OR IGNORE INTO approvals (${columns}) VALUES (?, ?, ?, ?)`);
  const remove = database.prepare(`DELETE FROM approvals WHERE "commit" = ? RETURNING ${columns}`);
  const work = async <Value>(statement: () => Value) => explaining(file, statement);
  return {
    find: (commit) => work(() => read(find.get(commit))),
    add: (approval) =>
      work(() => {
        const { commit, ref, by, at } = approval;
        const added = add.run(commit, ref, by, at).changes > 0;
        return { added, approval: read(find.get(commit)) ?? approval };
      }),
    list: () => work(() => list.all().flatMap((row) => read(row) ?? [])),
    remove: (commit) => work(() => read(remove.get(commit))),
    close: () => database.close(),
  };
}

function read(row: object | undefined): Approval | undefined {
  return row && ({ ...row } as Approval);
}
