import { gunzipSync, gzipSync } from 'node:zlib';
import type { AskedBuild, Build, BuildState } from '../../builds/build.ts';
import type { ClusterRun } from './cluster.ts';
import { attemptOf } from './run-follower.ts';
import { askedAnnotation, buildAnnotation, outcomeAnnotation } from './run-names.ts';
import { tagOf } from './run-set.ts';

/** The attempts of one build, the first one first; never empty. */
export type Attempts = readonly [ClusterRun, ...ClusterRun[]];

/** Runs as builds, the newest first. */
export function groupRuns(runs: Iterable<ClusterRun>): readonly Attempts[] {
  const groups = Map.groupBy(runs, tagOf);
  return [...groups.values()]
    .map((group) => sortAttempts(group))
    .filter((attempts) => attempts !== undefined)
    .toSorted((one, other) => (placeOf(one[0]) < placeOf(other[0]) ? 1 : -1));
}

/** Runs of one build in their order; undefined where there is none. */
export function sortAttempts(runs: Iterable<ClusterRun>): Attempts | undefined {
  const [first, ...rest] = [...runs].toSorted((one, other) => attemptOf(one) - attemptOf(other));
  return first && [first, ...rest];
}

/** The latest attempt. */
export function latestOf(attempts: Attempts): ClusterRun {
  return attempts.at(-1) ?? attempts[0];
}

/** Where a build stands in the list: when it was first asked for, and its name. */
export function placeOf(first: ClusterRun): string {
  return `${first.annotations[askedAnnotation] ?? first.createdAt} ${first.name}`;
}

/** The build as it was asked for, as its run tells it; undefined where it is no run of ours. */
export function askedOf(run: ClusterRun): AskedBuild | undefined {
  try {
    // We wrote it; who may change runs of the namespace may do anything to them.
    return JSON.parse(run.annotations[buildAnnotation] ?? '') as AskedBuild;
  } catch {
    return undefined;
  }
}

/** What a finished build came to, as an annotation: its state first, that lists need not unpack it. */
export function packBuild(build: Build): string {
  return `${build.state} ${gzipSync(JSON.stringify(build)).toString('base64')}`;
}

/** The state that {@link packBuild} begins with; undefined where nothing is kept. */
export function keptState(run: ClusterRun): BuildState | undefined {
  return run.annotations[outcomeAnnotation]?.split(' ', 1)[0] as BuildState | undefined;
}

/** The build that {@link packBuild} kept; undefined where nothing is. */
export function keptBuild(run: ClusterRun): Build | undefined {
  const packed = run.annotations[outcomeAnnotation]?.split(' ')[1];
  if (packed === undefined) return undefined;
  try {
    const text = gunzipSync(Buffer.from(packed, 'base64'), { maxOutputLength: 16 * 2 ** 20 });
    return JSON.parse(text.toString('utf8')) as Build;
  } catch {
    return undefined;
  }
}
