import pLimit from 'p-limit';
import type { AskedBuild, Build } from '../../builds/build.ts';
import type { BuildPage, BuildQuery } from '../engine.ts';
import { isOver } from './attempt-view.ts';
import {
  type Attempts,
  askedOf,
  groupRuns,
  keptState,
  latestOf,
  placeOf,
} from './builds-of-runs.ts';
import type { ClusterRun } from './cluster.ts';
import type { PastBuilds } from './past-builds.ts';
import { componentLabel, labelValue, nameLabel } from './run-names.ts';
import { type RunSet, tagOf } from './run-set.ts';

export interface ListOptions {
  readonly runs: RunSet;
  readonly past: PastBuilds;
  statusOf(attempts: Attempts): Promise<Build>;
}

/** A place in the list: among the runs, or among the records of those that are gone, which come after them. */
interface Entry {
  readonly place: string;
  /** Undefined where it is none of those that are asked for. */
  read(): Promise<Build | undefined>;
}

/** Builds that are worked out at once. */
const limit = pLimit(4);

/** A page of builds, the newest first: what the cluster has, and then what only the registry knows. */
export async function listBuilds(query: BuildQuery, options: ListOptions): Promise<BuildPage> {
  const builds: Build[] = [];
  let last: string | undefined;
  for await (const entry of entries(query, options)) {
    // One more than the page holds tells whether there is another.
    if (builds.length === query.limit) return { builds, next: last ?? null };
    const build = await entry.read();
    if (build === undefined) continue;
    builds.push(build);
    last = entry.place;
  }
  return { builds, next: null };
}

async function* entries(query: BuildQuery, options: ListOptions): AsyncGenerator<Entry> {
  const groups = groupRuns(await options.runs.all());
  const { after } = query;
  if (after === undefined || !after.startsWith(pastMark)) {
    for (const attempts of groups) {
      const place = placeOf(attempts[0]);
      if (after !== undefined && place >= after) continue;
      if (mayMatch(attempts, query))
        yield { place, read: () => readMatching(attempts, query, options) };
    }
  }
  yield* pastEntries(new Set(groups.map(([first]) => tagOf(first))), query, options);
}

const pastMark = 'record ';

/** Milliseconds: a record is written once. */
const recordsMayBe = 60_000;

async function* pastEntries(
  /** Tags as label values. */
  present: ReadonlySet<string>,
  query: BuildQuery,
  { past }: ListOptions,
): AsyncGenerator<Entry> {
  const tags = (await past.tags()).filter((tag) => !present.has(labelValue(tag)));
  const found = await Promise.all(tags.map((tag) => limit(() => past.find(tag, recordsMayBe))));
  const sorted = found
    .filter((one) => one !== undefined)
    .filter(({ asked, build }) => matches(asked, query) && isState(build, query))
    .map(({ build }) => ({ build, place: `${pastMark}${build.createdAt} ${build.tag}` }))
    .toSorted((one, other) => (one.place < other.place ? 1 : -1));
  for (const { build, place } of sorted) {
    if (query.after?.startsWith(pastMark) && place >= query.after) continue;
    yield { place, read: async () => build };
  }
}

/** What can be said without working out a build. */
function mayMatch(attempts: Attempts, query: BuildQuery): boolean {
  const run = latestOf(attempts);
  // Labels first: what a run says of its build in whole is long.
  if (!mayMatchLabels(run, query)) return false;
  const asked = askedOf(run);
  if (asked === undefined || !matches(asked, query)) return false;
  if (query.state === undefined) return true;
  const kept = keptState(run);
  if (kept !== undefined) return kept === query.state;
  const open = query.state === 'queued' || query.state === 'running';
  if (run.condition?.status === 'True') return query.state === 'succeeded';
  // A run that is cancelled may still be keeping its record.
  return isOver(run) ? !open : open || query.state === 'cancelled';
}

function mayMatchLabels({ labels }: ClusterRun, { name, component }: BuildQuery): boolean {
  return (
    (name === undefined || labels[nameLabel] === labelValue(name)) &&
    (component === undefined || Object.hasOwn(labels, componentLabel(component)))
  );
}

function matches({ lock, read }: AskedBuild, { name, component }: BuildQuery): boolean {
  return (
    (name === undefined || lock.name === name) &&
    (component === undefined || Object.hasOwn(read, component))
  );
}

async function readMatching(
  attempts: Attempts,
  query: BuildQuery,
  { statusOf }: ListOptions,
): Promise<Build | undefined> {
  const build = await statusOf(attempts);
  return isState(build, query) ? build : undefined;
}

function isState(build: Build, { state }: BuildQuery): boolean {
  return state === undefined || build.state === state;
}
