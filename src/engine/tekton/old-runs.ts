import type { ClusterRun } from './cluster.ts';
import { tagLabel } from './run-names.ts';

/**
 * The runs of builds that ended before `before`. A build that was run again is as old as its last attempt: what its first ones told
 * is part of its history.
 */
export function oldRuns(runs: readonly ClusterRun[], before: Date): readonly ClusterRun[] {
  const isOld = ({ completedAt }: ClusterRun) =>
    completedAt !== undefined && Date.parse(completedAt) < before.getTime();
  const tagOf = ({ labels }: ClusterRun) => labels[tagLabel];
  const kept = new Set(runs.filter((run) => !isOld(run)).map(tagOf));
  return runs.filter((run) => !kept.has(tagOf(run)));
}
