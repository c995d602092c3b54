import pLimit from 'p-limit';
import type { Build } from '../../builds/build.ts';
import { type Failure, FailureError } from '../../builds/failure.ts';
import type { Tag } from '../../plan/names.ts';
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
import type { PastBuilds, PastSummary } from './past-builds.ts';
import { componentLabel, labelValue, nameLabel, requesterLabel } from './run-names.ts';
import { type RunSet, tagOf } from './run-set.ts';

export interface ListOptions {
  readonly runs: RunSet;
  readonly past: PastBuilds;
  statusOf(attempts: Attempts): Promise<Build>;
}

/** A place in the list: among the runs, or among the records of those that are gone, which come after them. */
interface Entry {
  readonly place: string;
  /** Undefined where it is none of those that are asked for, or cannot be read now. */
  read(): Promise<Build | undefined>;
}

/** Builds of a page that are worked out at once: each may have to wait for what the cluster and the registry tell. */
const atOnce = 10;

/** Records that are read at once. */
const limit = pLimit(4);

/**
 * A page of builds, the newest first: what the cluster has, and then what only the registry knows. Where the registry does not answer, the page has the
 * rest, and says so.
 */
export async function listBuilds(query: BuildQuery, options: ListOptions): Promise<BuildPage> {
  const registry = new Asking();
  const rest = entries(query, options, registry);
  const builds: Build[] = [];
  let last: string | null = null;
  while (builds.length < query.limit) {
    // All of them have room, so none is worked out in vain.
    const some = await take(rest, Math.min(atOnce, query.limit - builds.length));
    if (some.length === 0) return pageOf(builds, null, registry);
    const read = await Promise.all(some.map((entry) => entry.read()));
    for (const [index, build] of read.entries()) {
      if (build === undefined) continue;
      builds.push(build);
      last = some[index]?.place ?? last;
    }
  }
  // One more than the page holds tells whether there is another.
  const more = await take(rest, 1);
  return pageOf(builds, more.length === 0 ? null : last, registry);
}

/** The next `count` of them, or fewer where there are no more. */
async function take<Item>(rest: AsyncGenerator<Item>, count: number): Promise<readonly Item[]> {
  const items: Item[] = [];
  while (items.length < count) {
    const { done, value } = await rest.next();
    if (done) break;
    items.push(value);
  }
  return items;
}

function pageOf(builds: readonly Build[], next: string | null, { trouble }: Asking): BuildPage {
  if (trouble === undefined) return { builds, next };
  const detail = `Builds may be missing here, for the registry does not tell of them: ${trouble.detail}`;
  return { builds, next, incomplete: { ...trouble, detail } };
}

/** What is asked of the registry for one page. */
class Asking {
  /** Why it did not answer. */
  trouble: Failure | undefined;

  /** Undefined where it does not answer. */
  async ask<Value>(question: () => Promise<Value>): Promise<Value | undefined> {
    try {
      return await question();
    } catch (error) {
      const failure = error instanceof FailureError ? error.failures[0] : undefined;
      if (!failure?.reason.startsWith('registry-')) throw error;
      this.trouble ??= failure;
      return undefined;
    }
  }
}

async function* entries(
  query: BuildQuery,
  options: ListOptions,
  registry: Asking,
): AsyncGenerator<Entry> {
  const groups = groupRuns(await options.runs.all());
  const { after } = query;
  if (after === undefined || !after.startsWith(pastMark)) {
    for (const attempts of groups) {
      const place = placeOf(attempts[0]);
      if (after !== undefined && place >= after) continue;
      if (mayMatch(attempts, query))
        yield { place, read: () => readMatching(attempts, query, options, registry) };
    }
  }
  // What has a record is over.
  if (isOpen(query.state)) return;
  const present = new Set(groups.map(([first]) => tagOf(first)));
  yield* pastEntries(present, query, options, registry);
}

const pastMark = 'record ';

async function* pastEntries(
  /** Tags as label values. */
  present: ReadonlySet<string>,
  query: BuildQuery,
  { past }: ListOptions,
  registry: Asking,
): AsyncGenerator<Entry> {
  const all = (await registry.ask(() => past.tags())) ?? [];
  const tags = all.filter((tag) => !present.has(labelValue(tag)));
  const summary = (tag: Tag) => registry.ask(() => past.summary(tag));
  const found = await Promise.all(tags.map((tag) => limit(() => summary(tag))));
  const sorted = found
    .filter((one) => one !== undefined)
    .filter((one) => matches(one, query) && isState(one, query))
    .map(({ tag, createdAt }) => ({ tag, place: `${pastMark}${createdAt} ${tag}` }))
    .toSorted((one, other) => (one.place < other.place ? 1 : -1));
  for (const { tag, place } of sorted) {
    if (query.after?.startsWith(pastMark) && place >= query.after) continue;
    yield { place, read: () => readPast(tag, query, past, registry) };
  }
}

/** The summary may be older than the record. */
async function readPast(tag: Tag, query: BuildQuery, past: PastBuilds, registry: Asking) {
  const found = await registry.ask(() => past.find(tag));
  return found !== undefined && isState(found.build, query) ? found.build : undefined;
}

/** What can be said without working out a build: what a run says of it in whole is long, and comes last. */
function mayMatch(attempts: Attempts, query: BuildQuery): boolean {
  const run = latestOf(attempts);
  if (!mayMatchLabels(run, query) || !mayBeState(run, query)) return false;
  const asked = askedOf(run);
  if (asked === undefined) return false;
  const { lock, read, requester } = asked;
  return matches({ name: lock.name, components: Object.keys(read), requester }, query);
}

function mayMatchLabels({ labels }: ClusterRun, query: BuildQuery): boolean {
  const { name, component, requester } = query;
  return (
    (name === undefined || labels[nameLabel] === labelValue(name)) &&
    (requester === undefined || labels[requesterLabel] === labelValue(requester)) &&
    (component === undefined || Object.hasOwn(labels, componentLabel(component)))
  );
}

function mayBeState(run: ClusterRun, { state }: BuildQuery): boolean {
  if (state === undefined) return true;
  const kept = keptState(run);
  if (kept !== undefined) return kept === state;
  if (run.condition?.status === 'True') return state === 'succeeded';
  // A run that is cancelled may still be keeping its record.
  return isOver(run) ? !isOpen(state) : isOpen(state) || state === 'cancelled';
}

function isOpen(state: BuildQuery['state']): boolean {
  return state === 'queued' || state === 'running';
}

function matches(
  { name, components, requester }: Pick<PastSummary, 'name' | 'components' | 'requester'>,
  query: BuildQuery,
): boolean {
  return (
    (query.name === undefined || name === query.name) &&
    (query.requester === undefined || requester === query.requester) &&
    (query.component === undefined || components.includes(query.component))
  );
}

async function readMatching(
  attempts: Attempts,
  query: BuildQuery,
  { statusOf }: ListOptions,
  registry: Asking,
): Promise<Build | undefined> {
  const run = latestOf(attempts);
  // It is waited for once.
  if (registry.trouble !== undefined && isOver(run) && keptState(run) === undefined)
    return undefined;
  const build = await registry.ask(() => statusOf(attempts));
  return build !== undefined && isState(build, query) ? build : undefined;
}

function isState(build: Pick<Build, 'state'>, { state }: BuildQuery): boolean {
  return state === undefined || build.state === state;
}
