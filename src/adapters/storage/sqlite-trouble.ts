import { noSpace } from '../../builds/disk-full.ts';
import { type Failure, FailureError } from '../../builds/failure.ts';

/** Primary result codes of SQLite (https://sqlite.org/rescode.html). */
const codes = {
  statement: 1,
  readonly: 8,
  io: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  noDatabase: 26,
};

/** Runs `work` on a database file; what SQLite refuses because of the file or its disk is thrown as FailureError. */
export function explaining<Value>(file: string, work: () => Value): Value {
  try {
    return work();
  } catch (error) {
    const failure = explain(file, error);
    throw failure === undefined ? error : new FailureError(failure);
  }
}

/** The same for every method of an object. */
export function explained<Methods extends object>(file: string, methods: Methods): Methods {
  const entries = Object.entries(methods).map(([name, method]) => [
    name,
    (...args: unknown[]) => explaining(file, () => method(...args)),
  ]);
  return Object.fromEntries(entries) as Methods;
}

/** The failure of a database that is damaged, with the way back. */
export function damaged(file: string, what: string): Failure {
  return {
    reason: 'bad-state',
    detail: `The database ${file} is damaged: ${what}.`,
    hint: 'Nothing was changed. `tributary recover` puts it aside and makes the history anew from the records in the registry; or put a copy of yours in its place.',
    about: { damaged: file },
  };
}

/** The failure of a database that holds nothing although there were builds. */
export function emptied(file: string): Failure {
  return damaged(file, 'it holds nothing, and beside it lie logs of builds');
}

function explain(file: string, error: unknown): Failure | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined;
  switch (Number(error.errcode) & 0xff) {
    case codes.full:
      return noSpace(file, error.message);
    // All statements are fixed: one that cannot be understood means that the tables are not ours.
    case codes.statement:
    case codes.corrupt:
    case codes.noDatabase:
      return damaged(file, error.message);
    case codes.io:
    case codes.readonly:
    case codes.cannotOpen:
      return {
        reason: 'bad-state',
        detail: `The database ${file} cannot be read or written: ${error.message}.`,
        hint: 'Check that its disk works and has space, and that it and its folder belong to this user; then try again.',
      };
    default:
      return undefined;
  }
}
