import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pRetry from 'p-retry';
import { networkVariables, run } from './command.ts';
import { authfileFor, isInsecure, type ReachConfiguration, registriesConf } from './reach.ts';
import { RegistryTrouble } from './registry-trouble.ts';

export interface SkopeoOptions {
  /** An existing folder for small files of our own. */
  readonly folder: string;
  readonly signal?: AbortSignal;
  /** Milliseconds before the first of three retries; each waits twice as long as the one before. */
  readonly retryDelay?: number;
}

/** skopeo, told how to reach registries; everything throws {@link RegistryTrouble}. */
export interface Skopeo {
  /** The raw manifest; `authfile` instead of the configured one. */
  inspect(reference: string, authfile?: string): Promise<Buffer>;
  /** Runs `skopeo copy`, in the folder `cwd`, and returns the digest of what was written. */
  copy(args: readonly string[], cwd: string): Promise<string>;
  /** Arguments that say how to reach one side of a copy. */
  side(side: 'src' | 'dest', reference: string): readonly string[];
  /** Tries `work` again, with back-off, as long as its trouble is a passing one. */
  patiently<Value>(work: () => Promise<Value>): Promise<Value>;
  /** An authfile without credentials. */
  readonly noCredentials: string;
}

/** Prepares the files that skopeo needs and gives its commands. */
export async function createSkopeo(
  configuration: ReachConfiguration,
  options: SkopeoOptions,
): Promise<Skopeo> {
  const folder = await mkdtemp(join(options.folder, 'skopeo-'));
  const noCredentials = join(folder, 'no-credentials.json');
  await writeFile(noCredentials, '{}');
  const mirrors = await writeRegistriesConf(configuration, folder);
  const signal = options.signal === undefined ? {} : { signal: options.signal };

  const command = async (args: readonly string[], cwd: string): Promise<Buffer> => {
    const inherit = [...networkVariables, 'XDG_RUNTIME_DIR', 'REGISTRY_AUTH_FILE'];
    const result = await run('skopeo', [...mirrors, ...args], { cwd, inherit, ...signal });
    if (result.exitCode !== 0) throw RegistryTrouble.fromMessages(result.stderr);
    return result.stdout;
  };
  const patiently = <Value>(work: () => Promise<Value>) =>
    pRetry(work, {
      ...{ retries: 3, factor: 2, minTimeout: options.retryDelay ?? 500, ...signal },
      shouldRetry: ({ error }) => error instanceof RegistryTrouble && error.trouble === 'passing',
    });

  return {
    noCredentials,
    patiently,
    side: (side, reference) => [
      ...(isInsecure(reference, configuration) ? [`--${side}-tls-verify=false`] : []),
      ...option(`--${side}-authfile`, authfileFor(reference, configuration)),
    ],
    inspect: (reference, authfile = authfileFor(reference, configuration)) =>
      patiently(() => {
        const secure = isInsecure(reference, configuration) ? ['--tls-verify=false'] : [];
        const how = [...secure, ...option('--authfile', authfile)];
        return command(['inspect', '--raw', ...how, `docker://${checked(reference)}`], folder);
      }),
    copy: (args, cwd) =>
      patiently(async () => {
        const workdir = await mkdtemp(join(folder, 'copy-'));
        const file = join(workdir, 'digest');
        try {
          await command(['copy', '--digestfile', file, ...args], cwd);
          return (await readFile(file, 'utf8')).trim();
        } finally {
          await rm(workdir, { recursive: true });
        }
      }),
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
