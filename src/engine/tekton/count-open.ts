import type { OpenBuilds } from '../engine.ts';
import { isOver } from './attempt-view.ts';
import { askedOf, groupRuns, latestOf } from './builds-of-runs.ts';
import type { RunSet } from './run-set.ts';

/** How many builds wait and run, as their runs alone tell. */
export async function countOpen(runs: RunSet): Promise<OpenBuilds> {
  const open = groupRuns(await runs.all())
    .map(latestOf)
    .filter((run) => !isOver(run) && askedOf(run) !== undefined);
  const queued = open.filter(({ startedAt }) => startedAt === undefined).length;
  return { queued, running: open.length - queued };
}
