import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { listRecords, type RecordPlace } from '../adapters/registry/record-list.ts';
import { createRegistry } from '../adapters/registry/registry.ts';
import { FailureError } from '../builds/failure.ts';
import { type LoadedConfiguration, loadConfiguration } from '../config/load-config.ts';
import { attemptFolders } from '../engine/local/state-folder.ts';
import type { BuildStore } from '../engine/local/store.ts';
import { readArtifact } from '../steps/artifact.ts';
import type { CliContext } from './cli-io.ts';
import { openForRecovery } from './open-for-recovery.ts';
import { type RecalledBuild, readRecord } from './read-record.ts';

/** What `tributary recover --json` prints. */
interface Recovery {
  /** Where the damaged database is now; null: it was sound. */
  readonly setAside: string | null;
  readonly recovered: readonly string[];
  /** In the history already. */
  readonly known: number;
  /** Ended longer ago than builds are kept. */
  readonly old: number;
  readonly unreadable: readonly { readonly record: string; readonly why: string }[];
}

/** `tributary recover`: makes the history anew from the records that the remotes hold. */
export async function recover(context: CliContext): Promise<number> {
  const { io, globals } = context;
  const configuration = await loadConfiguration(globals.config, io.environment);
  const now = new Date(io.now());
  const { store, setAside } = await openForRecovery(configuration, now);
  const folder = await mkdtemp(join(configuration.state, 'recover-'));
  try {
    const places = await findRecords(configuration, folder);
    const unknown = places.filter(({ tag }) => store.find(tag) === undefined);
    const read = await readRecords(unknown, configuration, folder);
    const oldest = now.getTime() - configuration.limits['keep-days'] * 24 * 60 * 60 * 1000;
    const fresh = read.builds.filter(({ finishedAt }) => Date.parse(finishedAt) >= oldest);
    const recovered = fresh
      .toSorted((one, other) => Date.parse(one.finishedAt) - Date.parse(other.finishedAt))
      .filter((build) => keep(store, build));
    for (const build of recovered) await writeLogs(configuration.state, build);
    const recovery: Recovery = {
      setAside,
      recovered: recovered.map(({ asked }) => asked.tag),
      known: places.length - read.builds.length - read.unreadable.length,
      old: read.builds.length - fresh.length,
      unreadable: read.unreadable,
    };
    io.out(globals.json ? `${JSON.stringify(recovery)}\n` : render(recovery, configuration));
    return 0;
  } finally {
    store.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function findRecords(
  configuration: LoadedConfiguration,
  folder: string,
): Promise<RecordPlace[]> {
  const places = new Map<string, RecordPlace>();
  for (const { push } of Object.values(configuration.remotes))
    for (const place of await listRecords(`${push}/tributary`, configuration, { folder }))
      places.set(place.tag, place);
  return [...places.values()];
}

async function readRecords(
  places: readonly RecordPlace[],
  configuration: LoadedConfiguration,
  folder: string,
) {
  const registry = await createRegistry(configuration, { folder });
  const limit = pLimit(4);
  const builds: RecalledBuild[] = [];
  const unreadable: { record: string; why: string }[] = [];
  const readOne = async ({ reference }: RecordPlace) => {
    const record = await readArtifact(registry, reference).catch((error: Error) => {
      // A registry that does not answer is no reason to leave builds out unseen.
      if (error instanceof FailureError) throw error;
      return error.message;
    });
    const read = typeof record === 'object' ? readRecord(record) : (record ?? 'it is gone');
    if (typeof read === 'string') unreadable.push({ record: reference, why: read });
    else builds.push(read);
  };
  await Promise.all(places.map((place) => limit(() => readOne(place))));
  return { builds, unreadable };
}

/** Whether it was taken in: its run may be that of a build which is there. */
function keep(store: BuildStore, { asked, attempt, changes }: RecalledBuild): boolean {
  return store.atomically(() => {
    if (store.find(asked.tag) ?? store.findRun(asked.pipelinerun)) return false;
    store.insert(asked);
    store.enqueue(asked, attempt);
    for (const { at, change } of changes)
      store.append(asked.tag, attempt, at, [{ change, sequence: 0 }]);
    return true;
  });
}

/** Logs that are there are at least as whole as those of the record. */
async function writeLogs(state: string, { asked, attempt, logs }: RecalledBuild): Promise<void> {
  const folder = attemptFolders(state, asked.tag, attempt).logs;
  await mkdir(folder, { recursive: true });
  for (const [name, text] of logs)
    await writeFile(join(folder, name), text, { flag: 'wx' }).catch((error) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    });
}

function render(recovery: Recovery, configuration: LoadedConfiguration): string {
  const { setAside, recovered, known, old, unreadable } = recovery;
  const days = configuration.limits['keep-days'];
  return [
    ...(setAside === null ? [] : [`The damaged database is kept as ${setAside}.`]),
    ...recovered.map((tag) => `recovered  ${tag}`),
    ...unreadable.map(({ record, why }) => `left out   ${record}: ${why}`),
    `${recovered.length} builds are back, ${known} were there, ${old} ended more than ${days} days ago.`,
    'Builds that were queued, running or cancelled have no record: ask for them again.',
    '',
  ].join('\n');
}
