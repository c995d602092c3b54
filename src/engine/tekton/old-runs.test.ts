import { expect, test } from 'vitest';
import type { ClusterRun } from './cluster.ts';
import { oldRuns } from './old-runs.ts';
import { tagLabel } from './run-names.ts';

const run = (name: string, tag: string, completedAt?: string) =>
  ({ name, labels: { [tagLabel]: tag }, completedAt }) as unknown as ClusterRun;
const before = new Date('2026-11-10T00:00:00Z');
const names = (...runs: ClusterRun[]) => oldRuns(runs, before).map(({ name }) => name);

test('a run that ended before is old, one that ended later or runs is not', () => {
  expect(
    names(
      run('old', 'a', '2026-11-09T23:59:59Z'),
      run('new', 'b', '2026-11-10T00:00:00Z'),
      run('running', 'c'),
    ),
  ).toEqual(['old']);
});

test('a build is as old as its last attempt', () => {
  const first = run('first', 'a', '2026-11-01T00:00:00Z');
  expect(names(first, run('first-r2', 'a', '2026-11-20T00:00:00Z'))).toEqual([]);
  expect(names(first, run('first-r2', 'a'))).toEqual([]);
  expect(names(first, run('first-r2', 'a', '2026-11-02T00:00:00Z'))).toEqual(['first', 'first-r2']);
});
