import { mkdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { FailureError } from '../../builds/failure.ts';
import type { CacheMount } from '../../plan/cache-mounts.ts';
import { canonicalHash } from '../../plan/canonical-hash.ts';
import { type CompileCache, seedId, seedTag } from '../../plan/compile-cache.ts';
import type { Registry } from '../../steps/step.ts';
import { run } from '../processes/command.ts';
import { contained, type Overlay, type Privilege } from '../processes/sandbox.ts';
import type { FileLock } from '../storage/file-lock.ts';
import { openShelf, type Shelf } from '../storage/shelf.ts';
import type { UsableBases } from './base-store.ts';
import { makeScratchStorage, type ScratchStorage } from './scratch-storage.ts';
import { findSeed, type Seed, writeSeed } from './seeds.ts';

/**
 * The compile caches of one unit, which builds images of one group one after the other. A cache is what the base image has in the
 * folder, on top of that the seed, and on top of that what the group compiled itself, which nobody else ever sees; unless all
 * that ran is the product's own: then it is added to the seed.
 */
export interface CompileCaches {
  /** What RUNs of stages on a base image mount, and how the sandbox shows it. */
  open(
    cache: CompileCache,
    base: string,
    platform: string,
    log: (text: string) => void,
    signal: AbortSignal,
  ): Promise<readonly OpenCache[]>;
  /** Frees everything. `keep`: what was compiled may become seeds. Says what it could not do. */
  close(keep: boolean, log: (text: string) => void): Promise<void>;
}

/** One cache folder, as a build uses it. */
export interface OpenCache {
  readonly mount: CacheMount;
  /** The stack of folders; where the sandbox shows it is for the builder to say. */
  readonly layers: Omit<Overlay, 'at'>;
}

export interface CompileCachesOptions {
  readonly state: string;
  readonly storage: string;
  readonly privilege: Privilege;
  readonly bases: UsableBases;
  /** Where seeds are kept; without one there are none. */
  readonly registry: Registry | undefined;
}

interface Entry extends OpenCache {
  /** Reference of its seed. */
  readonly reference: string;
  readonly seed: Seed | undefined;
  readonly upper: string;
  readonly about: Readonly<Record<string, string>>;
  own: boolean;
}

/** {@link CompileCaches} over a shelf of seeds in the state folder. */
export function createCompileCaches(options: CompileCachesOptions): CompileCaches {
  const { state, storage, privilege, registry } = options;
  const shelf = openShelf(join(state, 'seeds'));
  const entries = new Map<string, Promise<Entry>>();
  const locks: FileLock[] = [];
  let scratch: Promise<ScratchStorage> | undefined;
  const more = { ...options, shelf, locks };

  return {
    open(cache, base, platform, log, signal) {
      scratch ??= makeScratchStorage(storage, privilege);
      const opened = cache.folders.map(async (folder) => {
        const about = { group: cache.group, base: digestOf(base), folder, platform };
        const id = seedId(about);
        const { folder: work } = await (scratch as Promise<ScratchStorage>);
        const opening =
          entries.get(id) ?? openEntry({ id, about, base, cache, work }, more, log, signal);
        entries.set(id, opening);
        const entry = await opening;
        entry.own &&= cache.own;
        return entry;
      });
      return Promise.all(opened);
    },

    async close(keep, log) {
      const settled = await Promise.allSettled(entries.values());
      entries.clear();
      for (const outcome of settled) {
        if (!keep || registry === undefined || outcome.status === 'rejected') continue;
        await keepSeed(outcome.value, { registry, shelf, privilege, log });
      }
      for (const lock of locks.splice(0)) await lock.release();
      await (await scratch)?.[Symbol.asyncDispose]();
      scratch = undefined;
    },
  };
}

interface Wanted {
  readonly id: string;
  readonly about: Readonly<Record<string, string>> & { readonly folder: string };
  readonly base: string;
  readonly cache: CompileCache;
  /** Scratch folder of the group. */
  readonly work: string;
}

interface Means extends CompileCachesOptions {
  readonly shelf: Shelf;
  readonly locks: FileLock[];
}

async function openEntry(
  { id, about, base, cache, work }: Wanted,
  { state, bases, registry, privilege, shelf, locks }: Means,
  log: (text: string) => void,
  signal: AbortSignal,
): Promise<Entry> {
  const place = join(work, id);
  for (const name of ['upper', 'work', 'seed', 'image'])
    await mkdir(join(place, name), { recursive: true });
  const hold = async (name: string, make: (draft: string) => Promise<void>) => {
    locks.push(await shelf.hold(name, make, signal));
    return join(shelf.folder, name);
  };
  const reference = `${cache.seeds}:${seedTag(id)}`;
  const seed =
    registry &&
    (await orNone(reference, log, signal, () =>
      findSeed(
        { reference, own: cache.own, folder: join(place, 'seed') },
        { registry, privilege, hold },
      ),
    ));
  const { folder } = about;
  const bottom = await hold(
    `base-${canonicalHash([about['base'], folder]).slice(0, 32)}`,
    (draft) => bases.copyFolder(base, folder, draft, join(place, 'image'), signal),
  );
  log(
    seed === undefined
      ? `compile cache ${folder}: no seed yet (${reference})\n`
      : `compile cache ${folder}: seed ${reference}, ${seed.layers.length} layers\n`,
  );
  const lowers = [...(seed?.folders ?? []), bottom];
  const upper = join(place, 'upper');
  await dressAlike(lowers[0] as string, upper, privilege);
  const layers = {
    folder: state,
    lowers: lowers.map((path) => relative(state, path)),
    upper: relative(state, upper),
    work: relative(state, join(place, 'work')),
  };
  return { mount: { id, folder }, layers, reference, seed, upper, about, own: true };
}

/** A cache is a help: without its seed a build takes longer, and that is all. */
async function orNone<Value>(
  reference: string,
  log: (text: string) => void,
  signal: AbortSignal,
  find: () => Promise<Value | undefined>,
): Promise<Value | undefined> {
  try {
    return await find();
  } catch (error) {
    signal.throwIfAborted();
    log(`warning: the seed ${reference} is not used: ${messageOf(error)}\n`);
    return undefined;
  }
}

/** The top of a stack decides who may write into its folder. */
async function dressAlike(like: string, folder: string, privilege: Privilege): Promise<void> {
  const script = 'chown --reference="$1" "$2" && chmod --reference="$1" "$2"';
  const line = contained(privilege, ['sh', '-c', script, 'sh', like, folder], { network: false });
  const { exitCode, stderr } = await run(line.program, line.args, { cwd: '/', env: line.env });
  if (exitCode !== 0) throw new Error(`cannot prepare ${folder}: ${stderr}`);
}

async function keepSeed(
  { own, upper, seed, reference, about }: Entry,
  means: { registry: Registry; shelf: Shelf; privilege: Privilege; log: (text: string) => void },
): Promise<void> {
  if (!own) return;
  try {
    await writeSeed({ reference, about, seed, upper }, means);
  } catch (error) {
    means.log(`warning: the seed ${reference} is not kept: ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  if (error instanceof FailureError) return error.failures[0].detail;
  return error instanceof Error ? error.message : String(error);
}

function digestOf(reference: string): string {
  return reference.slice(reference.lastIndexOf('@') + 1);
}
