import { listRecords } from '../adapters/registry/record-list.ts';
import type { SkopeoOptions } from '../adapters/registry/skopeo.ts';
import { eventId } from '../builds/event.ts';
import { foldBuild } from '../builds/fold.ts';
import { forSeconds } from '../builds/once.ts';
import type { LoadedConfiguration } from '../config/load-config.ts';
import {
  type PastBuild,
  type PastBuilds,
  type PastSummary,
  summarize,
} from '../engine/tekton/past-builds.ts';
import type { Digest, Tag } from '../plan/names.ts';
import { readArtifact } from '../steps/artifact.ts';
import type { Registry } from '../steps/step.ts';
import { type RecalledBuild, readRecord } from './read-record.ts';

/** How much is kept in memory: builds whole but for their logs, and what lists need of each. */
const mostKept = { builds: 200, summaries: 100_000 } as const;

/** Milliseconds: a record is written once, but for that of a later attempt; until the runs of that are pruned, they are listed. */
const summariesMayBe = 3_600_000;

/** The builds that the remotes have records of. A record that is none is left out: whoever may push to a remote may have written it. */
export function recordedBuilds(
  configuration: LoadedConfiguration,
  registry: () => Promise<Registry>,
  options: SkopeoOptions,
  most: Readonly<Record<keyof typeof mostKept, number>> = mostKept,
): PastBuilds {
  const repositories = Object.values(configuration.remotes).map(({ push }) => `${push}/tributary`);
  const kept = new Map<Digest, PastBuild | null>();
  const summaries = new Map<Tag, { readonly at: number; readonly it: PastSummary | undefined }>();
  /** Where the records are, as far as they were listed. */
  let holders: ReadonlyMap<Tag, readonly string[]> = new Map();

  const read = async (reference: string): Promise<RecalledBuild | undefined> => {
    const record = await readArtifact(await registry(), reference);
    const recalled = record && readRecord(record);
    return typeof recalled === 'object' ? recalled : undefined;
  };

  const findIn = async (repository: string, tag: Tag): Promise<PastBuild | undefined> => {
    const manifest = await (await registry()).manifest(`${repository}:${tag}-record`);
    if (manifest === undefined) return undefined;
    const { digest } = manifest;
    const reference = `${repository}@${digest}`;
    let build = kept.get(digest);
    if (build === undefined) {
      build = pastBuild(await read(reference), async () => read(reference));
      keep(kept, digest, build, most.builds);
    }
    return build?.asked.tag === tag ? build : undefined;
  };

  const findAmong = async (among: readonly string[], tag: Tag) => {
    const at = performance.now();
    const builds = await Promise.all(among.map((repository) => findIn(repository, tag)));
    const build = builds.find((one) => one !== undefined);
    // Of tags that somebody made up, nothing is kept.
    if (build !== undefined || holders.has(tag))
      keep(summaries, tag, { at, it: build && summarize(build) }, most.summaries);
    return build;
  };

  return {
    find: (tag) => findAmong(repositories, tag),

    async summary(tag) {
      const known = summaries.get(tag);
      if (known !== undefined && performance.now() - known.at < summariesMayBe) return known.it;
      const build = await findAmong(holders.get(tag) ?? repositories, tag);
      return build && summarize(build);
    },

    tags: forSeconds(5, async () => {
      const places = await Promise.all(
        repositories.map(async (repository) => {
          const records = await listRecords(repository, configuration, options);
          return records.map(({ tag }) => ({ tag, repository }));
        }),
      );
      const all = new Map<Tag, string[]>();
      for (const { tag, repository } of places.flat())
        all.set(tag, [...(all.get(tag) ?? []), repository]);
      holders = all;
      return [...all.keys()];
    }),
  };
}

/** Puts one more into a map, and drops the oldest where there are too many. */
function keep<Key, Value>(map: Map<Key, Value>, key: Key, value: Value, most: number): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > most && oldest !== undefined) map.delete(oldest);
}

function pastBuild(
  recalled: RecalledBuild | undefined,
  again: () => Promise<RecalledBuild | undefined>,
): PastBuild | null {
  if (recalled === undefined) return null;
  const { asked, attempt, changes } = recalled;
  const events = changes.map(({ at, change }) => ({
    ...change,
    ...{ id: eventId(attempt, change), at, attempt },
  }));
  return {
    ...{ asked, events, build: foldBuild(asked, events) },
    log: async (step) =>
      (await again())?.logs.get(`${step.replaceAll('/', '~')}.log`)?.toString('utf8'),
  };
}
