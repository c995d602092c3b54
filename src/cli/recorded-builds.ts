import { listRecords } from '../adapters/registry/record-list.ts';
import type { SkopeoOptions } from '../adapters/registry/skopeo.ts';
import { eventId } from '../builds/event.ts';
import { foldBuild } from '../builds/fold.ts';
import { forSeconds } from '../builds/once.ts';
import type { LoadedConfiguration } from '../config/load-config.ts';
import type { PastBuild, PastBuilds } from '../engine/tekton/past-builds.ts';
import type { Digest, Tag } from '../plan/names.ts';
import { readArtifact } from '../steps/artifact.ts';
import type { Registry } from '../steps/step.ts';
import { type RecalledBuild, readRecord } from './read-record.ts';

/** Records that are kept in memory, without their logs. */
const mostKept = 2000;

/** The builds that the remotes have records of. A record that is none is left out: whoever may push to a remote may have written it. */
export function recordedBuilds(
  configuration: LoadedConfiguration,
  registry: () => Promise<Registry>,
  options: SkopeoOptions,
): PastBuilds {
  const repositories = Object.values(configuration.remotes).map(({ push }) => `${push}/tributary`);
  const kept = new Map<Digest, PastBuild | null>();
  const found = new Map<Tag, { readonly at: number; readonly build: PastBuild | undefined }>();

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
      if (kept.size >= mostKept) kept.delete([...kept.keys()][0] ?? digest);
      kept.set(digest, build);
    }
    return build?.asked.tag === tag ? build : undefined;
  };

  const tags = forSeconds(5, async () => {
    const places = await Promise.all(
      repositories.map((repository) => listRecords(repository, configuration, options)),
    );
    return [...new Set(places.flat().map(({ tag }) => tag))];
  });

  return {
    tags,
    async find(tag, age = 0) {
      const known = found.get(tag);
      if (known !== undefined && performance.now() - known.at < age) return known.build;
      const at = performance.now();
      const builds = await Promise.all(repositories.map((repository) => findIn(repository, tag)));
      const build = builds.find((one) => one !== undefined);
      if (found.size >= mostKept) found.delete([...found.keys()][0] ?? tag);
      found.delete(tag);
      found.set(tag, { at, build });
      return build;
    },
  };
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
