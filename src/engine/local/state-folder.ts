import { join } from 'node:path';
import type { Tag } from '../../plan/names.ts';

/** Where the local engine keeps what is no row of its database. */
export interface AttemptFolders {
  /** Lock, product, plan and outputs, as the step program reads them. */
  readonly run: string;
  /** One file for each step. */
  readonly logs: string;
}

/** Folders of one attempt of a build. */
export function attemptFolders(state: string, tag: Tag, attempt: number): AttemptFolders {
  return {
    run: join(state, 'runs', tag, String(attempt)),
    logs: join(state, 'logs', tag, String(attempt)),
  };
}

/** Folder for what must not outlive an engine; each has its own, so that leftovers are known as such. */
export function temporaryFolder(state: string, owner: string): string {
  return join(state, 'tmp', owner);
}
