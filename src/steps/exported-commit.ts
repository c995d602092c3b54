import type { PinnedSource } from '../plan/lock.ts';
import type { CommitSha } from '../plan/names.ts';

/** Path of the repository that serves a component's commit, below the folder of the build and the service's URL. */
export function exportedPath(component: string): string {
  return `${component}.git`;
}

/** Branch of the exported repositories. */
export const exportedBranch = 'tributary';

/** Whether the commit that a source comes to was made here: nobody else can serve it. */
export function isMadeHere(from: PinnedSource, commit: CommitSha): boolean {
  if (from.kind === 'base' || from.kind === 'head') return false;
  const other = from.kind === 'merge' ? from.base.commit : from.onto;
  return commit !== from.commit && commit !== other;
}
