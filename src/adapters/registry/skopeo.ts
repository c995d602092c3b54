import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { networkVariables } from '../processes/command.ts';
import {
  authfileFor,
  isInsecure,
  mirrored,
  type ReachConfiguration,
  registriesConf,
} from './reach.ts';
import { runRegistryCommand } from './registry-command.ts';

export interface SkopeoOptions {
  /** An existing folder for small files of our own. */
  readonly folder: string;
  readonly signal?: AbortSignal;
  /** Milliseconds without a byte after which a registry counts as gone; default: half a minute. */
  readonly idle?: number;
}

/** skopeo, told how to reach registries; everything throws {@link RegistryTrouble}. */
export interface Skopeo {
  /** The raw manifest; `authfile` instead of the configured one. */
  inspect(reference: string, authfile?: string): Promise<Buffer>;
  /** All tags of a repository. */
  tags(repository: string): Promise<readonly string[]>;
  /** Runs `skopeo copy`, in the folder `cwd`, and returns the digest of what was written. No file that it writes may be larger than `largest`. */
  copy(args: readonly string[], cwd: string, largest?: number): Promise<string>;
  /** Arguments that say how to reach one side of a copy. */
  side(side: 'src' | 'dest', reference: string): readonly string[];
  /** An authfile without credentials. */
  readonly noCredentials: string;
}

/** Milliseconds for one manifest, which is small, and for a list of tags: a registry may send bytes for ever. */
const askLimit = 120_000;
/** What `skopeo list-tags` prints. */
const TagList = z.object({ Tags: z.array(z.string()) });

/** Prepares the files that skopeo needs and gives its commands. */
export async function createSkopeo(
  configuration: ReachConfiguration,
  options: SkopeoOptions,
): Promise<Skopeo> {
  const folder = await mkdtemp(join(options.folder, 'skopeo-'));
  const noCredentials = join(folder, 'no-credentials.json');
  await writeFile(noCredentials, '{}');
  const mirrors = await writeRegistriesConf(configuration, folder);
  const { signal, idle } = options;

  const command = (
    args: readonly string[],
    cwd: string,
    { timeout, largest }: { timeout?: number; largest?: number | undefined } = {},
  ): Promise<Buffer> => {
    const skopeo = ['--debug', ...mirrors, ...args];
    const limited = [`--fsize=${largest}`, 'skopeo', ...skopeo];
    const isLimited = largest !== undefined;
    return runRegistryCommand(isLimited ? 'prlimit' : 'skopeo', isLimited ? limited : skopeo, {
      cwd,
      inherit: [...networkVariables, 'XDG_RUNTIME_DIR', 'REGISTRY_AUTH_FILE'],
      ...(signal && { signal }),
      ...(idle && { idle }),
      ...(timeout && { timeout }),
    });
  };

  return {
    noCredentials,
    side: (side, reference) => [
      ...(isInsecure(reference, configuration) ? [`--${side}-tls-verify=false`] : []),
      ...option(`--${side}-authfile`, authfileFor(reference, configuration)),
    ],
    inspect: async (reference, authfile = authfileFor(reference, configuration)) => {
      const secure = isInsecure(reference, configuration) ? ['--tls-verify=false'] : [];
      const how = [...secure, ...option('--authfile', authfile)];
      const name = `docker://${checked(reference)}`;
      return command(['inspect', '--raw', ...how, name], folder, {
        timeout: askLimit,
      });
    },
    copy: async (args, cwd, largest) => {
      const workdir = await mkdtemp(join(folder, 'copy-'));
      const file = join(workdir, 'digest');
      try {
        await command(['copy', '--digestfile', file, ...args], cwd, { largest });
        return (await readFile(file, 'utf8')).trim();
      } finally {
        await rm(workdir, { recursive: true });
      }
    },
    tags: async (repository) => {
      const place = mirrored(checked(repository), configuration.mirrors);
      const secure = isInsecure(place, configuration) ? ['--tls-verify=false'] : [];
      const how = [...secure, ...option('--authfile', authfileFor(repository, configuration))];
      const listed = await command(['list-tags', ...how, `docker://${place}`], folder, {
        timeout: askLimit,
      });
      return TagList.parse(JSON.parse(listed.toString())).Tags;
    },
  };
}

/** Global options that make skopeo and buildah go to the mirrors; their file is written into `folder`. */
export async function writeRegistriesConf(
  configuration: ReachConfiguration,
  folder: string,
): Promise<readonly string[]> {
  const text = registriesConf(configuration);
  if (text === '') return [];
  const file = join(folder, 'registries.conf');
  await writeFile(file, text);
  return ['--registries-conf', file];
}

/** A reference that can be nothing but one: it becomes part of an argument. */
export function checked(reference: string): string {
  if (
    /^[A-Za-z0-9][\w.-]*(:\d+)?(\/[\w.-]+)*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$/.test(
      reference,
    )
  )
    return reference;
  throw new Error(`not an image reference: ${JSON.stringify(reference)}`);
}

function option(name: string, value: string | undefined): string[] {
  return value === undefined ? [] : [name, value];
}
