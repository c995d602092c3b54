import { access, mkdir, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FailureError } from '../../builds/failure.ts';
import type { Persist } from '../persist.ts';
import { networkVariables, run } from '../processes/command.ts';
import { contained, type Privilege } from '../processes/sandbox.ts';
import { authfileFor, hostOf, isInsecure, type ReachConfiguration } from '../registry/reach.ts';
import { runRegistryCommand } from '../registry/registry-command.ts';
import { passingTrouble, RegistryTrouble, registryFailure } from '../registry/registry-trouble.ts';
import { checked, writeRegistriesConf } from '../registry/skopeo.ts';
import { evictOldest } from '../storage/evict-oldest.ts';
import { type FileLock, lockFile, withFileLock } from '../storage/file-lock.ts';
import { neverOld } from '../storage/pack-folder.ts';
import { sizeOf } from '../storage/shelf.ts';

/** What builds need of base images. */
export type UsableBases = Pick<BaseStore, 'root' | 'pull' | 'copyFolder'>;

/** Base images, pulled once and shared by all builds, which only read them. */
export interface BaseStore {
  /** The image store, for `--storage-opt overlay.imagestore=`. */
  readonly root: string;
  /** Pulls a reference by digest unless it is there; it stays at least until it is released. */
  pull(
    reference: string,
    platform: string,
    log: (text: string) => void,
    signal: AbortSignal,
  ): Promise<FileLock>;
  /** Removes images that were used longest ago, and are not in use, until the store takes at most `limit` bytes. */
  evict(limit: number): Promise<readonly string[]>;
  /** Copies a folder of a pulled image, as far as it has one, into an empty one; `scratch` is for storage. */
  copyFolder(
    reference: string,
    folder: string,
    to: string,
    scratch: string,
    signal: AbortSignal,
  ): Promise<void>;
}

/** Opens (or makes) the base store in `folder`. */
export async function openBaseStore(
  folder: string,
  configuration: ReachConfiguration,
  privilege: Privilege,
  persist: Persist,
): Promise<BaseStore> {
  const { root, runroot, pulled, uses } = placesIn(folder);
  for (const path of [root, runroot, pulled, uses])
    await mkdir(path, { recursive: true, mode: 0o700 });
  const mirrors = await writeRegistriesConf(configuration, folder);

  const storage = ['--root', root, '--runroot', runroot, '--storage-driver', 'overlay'];
  const pullOnce = async (reference: string, platform: string, signal: AbortSignal) => {
    const how = [
      ...['--quiet', '--platform', platform],
      ...(isInsecure(reference, configuration) ? ['--tls-verify=false'] : []),
      ...optional('--authfile', authfileFor(reference, configuration)),
    ];
    const pull = ['pull', ...how, `docker://${reference}`];
    const command = ['buildah', '--log-level', 'debug', ...storage, ...mirrors, ...pull];
    const { program, args, env } = contained(privilege, command, { network: true });
    await runRegistryCommand(program, args, {
      ...{ cwd: folder, signal },
      // The user's own login lies there; without a session there is no such folder, and buildah wants one.
      env: { ...env, XDG_RUNTIME_DIR: process.env['XDG_RUNTIME_DIR'] ?? runroot },
      inherit: [...networkVariables, 'REGISTRY_AUTH_FILE'],
    });
  };

  return {
    root,
    pull(reference, platform, log, signal) {
      const name = markerOf(reference, platform);
      // One after the other: two builds that need the same image download it once.
      const work = async () => {
        const use = await lockFile(join(uses, name), { wait: true, shared: true, signal });
        try {
          await pullUnlessThere(join(pulled, name));
          return use as FileLock;
        } catch (error) {
          await use?.release();
          throw error;
        }
      };
      const pullUnlessThere = async (marker: string) => {
        if (await exists(marker)) return utimes(marker, new Date(), new Date());
        log(`pulling base image ${reference}\n`);
        await persist(`registry ${hostOf(reference)}`, passingTrouble, () =>
          pullOnce(reference, platform, signal),
        );
        await writeFile(marker, '');
      };
      return explaining(reference, () => withFileLock(join(folder, 'pull.lock'), work, signal));
    },

    evict: (limit) =>
      evictOldest(limit, {
        size: () => sizeOf(folder),
        entries: async () => {
          const names = await readdir(pulled);
          const times = names.map(async (name) => (await stat(join(pulled, name))).mtimeMs);
          return Promise.all(
            names.map(async (name, at) => ({ name, lastUsed: (await times[at]) ?? 0 })),
          );
        },
        remove: async (name) => {
          // A pull may take long: what room it needs is made the next time.
          await using alone = await lockFile(join(folder, 'pull.lock'), { wait: false });
          if (alone === undefined) return false;
          await using use = await lockFile(join(uses, name), { wait: false });
          if (use === undefined) return false;
          await rm(join(pulled, name));
          const [reference = ''] = name.replaceAll('~', '/').split(' ');
          const command = ['buildah', ...storage, 'rmi', reference];
          const { program, args, env } = contained(privilege, command, { network: false });
          const result = await run(program, args, { cwd: folder, env });
          await rm(join(uses, name), { force: true });
          if (result.exitCode !== 0)
            throw new Error(`cannot remove ${reference}: ${result.stderr}`);
          return true;
        },
      }),

    copyFolder: copyFrom(root, privilege),
  };
}

/** What {@link filledBaseStore} reads, below the folder of a store. */
export const filledFolders = ['root', 'pulled'] as const;

/** The base images that another process has pulled into `folder`, which may be read-only and stays as it is. */
export function filledBaseStore(folder: string, privilege: Privilege): UsableBases {
  const { root, pulled } = placesIn(folder);
  return {
    root,
    async pull(reference, platform) {
      if (!(await exists(join(pulled, markerOf(reference, platform)))))
        throw new Error(`nobody has pulled ${reference} for ${platform}`);
      const release = async () => {};
      return { release, [Symbol.asyncDispose]: release };
    },
    copyFolder: copyFrom(root, privilege),
  };
}

function placesIn(folder: string) {
  const place = (name: string) => join(folder, name);
  return {
    root: place('root'),
    runroot: place('run'),
    pulled: place('pulled'),
    uses: place('use'),
  };
}

function markerOf(reference: string, platform: string): string {
  return `${checked(reference)} ${platform}`.replaceAll('/', '~');
}

function copyFrom(root: string, privilege: Privilege): BaseStore['copyFolder'] {
  return async (reference, inner, to, scratch, signal) => {
    const storage = [
      ...['--root', join(scratch, 'root'), '--runroot', join(scratch, 'run')],
      ...['--storage-driver', 'overlay', '--storage-opt', `overlay.imagestore=${root}`],
    ];
    const command = ['sh', '-c', copyScript, 'sh', checked(reference), inner, to, ...storage];
    const { program, args, env } = contained(privilege, command, { network: false });
    const result = await run(program, args, { cwd: scratch, env, signal });
    if (result.exitCode !== 0)
      throw new Error(`cannot read ${inner} of ${reference}: ${result.stderr.trim()}`);
  };
}

/**
 * Nothing runs in the image. What is a link is left alone: it would lead to a folder of this machine. Without the folder, anybody may write
 * into the copy, as into a new cache.
 */
const copyScript = `set -eu
reference=$1 folder=$2 to=$3
shift 3
container=$(buildah "$@" from --pull=never "$reference")
mounted=$(buildah "$@" mount "$container")
if [ -d "$mounted$folder" ] && [ "$(realpath "$mounted$folder")" = "$(realpath "$mounted")$folder" ]; then
  cp -a "$mounted$folder/." "$to"
else
  chmod 1777 "$to"
fi
find "$to" -exec touch --no-dereference --date=@${neverOld} {} +
buildah "$@" umount "$container" >/dev/null
`;

async function explaining<Value>(reference: string, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RegistryTrouble)) throw error;
    if (error.trouble !== 'not-found') throw registryFailure(reference, error);
    throw new FailureError({
      reason: 'base-image-not-found',
      detail: `The base image ${reference} does not exist.`,
      hint: 'Check the FROM line and the `mirrors` of the configuration; a digest disappears where its tag was moved and the registry cleaned up.',
      about: { image: reference },
    });
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function optional(name: string, value: string | undefined): string[] {
  return value === undefined ? [] : [name, value];
}
