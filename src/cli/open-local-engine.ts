import { mkdir, rename, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { builderVersion } from '../adapters/builder/buildah.ts';
import { makeRoom } from '../adapters/builder/make-room.ts';
import { sweepStorage } from '../adapters/builder/scratch-storage.ts';
import { toolSet } from '../adapters/builder/tool-set.ts';
import { removeStepFolder, startContained } from '../adapters/processes/contained-process.ts';
import { forbidCoreDumps } from '../adapters/processes/forbid-core-dumps.ts';
import { once } from '../builds/once.ts';
import type { LoadedConfiguration } from '../config/load-config.ts';
import { secretVariables } from '../config/secret-variables.ts';
import type { Engine } from '../engine/engine.ts';
import { createLocalEngine, type LocalEngineOptions } from '../engine/local/create-local-engine.ts';
import { canonicalHash } from '../plan/canonical-hash.ts';
import { openStore } from './open-store.ts';

const program = fileURLToPath(new URL('../cli.ts', import.meta.url));

export interface OpenLocalEngineOptions
  extends Pick<LocalEngineOptions, 'work' | 'notify' | 'report'> {
  readonly configuration: LoadedConfiguration;
}

/**
 * The engine of this machine on the state folder of the configuration. `work`: `all` for a service, `own` for
 * a command that builds, `none` for one that looks. Call it from the main thread: steps end with it.
 */
export async function openLocalEngine(
  options: OpenLocalEngineOptions,
): Promise<{ readonly engine: Engine; close(): Promise<void> }> {
  const { configuration, work, notify, report } = options;
  const { state, limits } = configuration;
  await mkdir(state, { recursive: true, mode: 0o700 });
  if (work !== 'none') {
    await forbidCoreDumps();
    await sweepStorage(state);
  }
  const store = await openStore(state, work === 'all');
  const variables = secretVariables(configuration);
  const engine = createLocalEngine({
    ...{ store, state, work, notify, report },
    limits: {
      builds: limits.builds,
      steps: limits.steps ?? availableParallelism(),
      keepDays: limits['keep-days'],
    },
    steps: {
      startContained: (command, cwd) =>
        startContained(command, cwd, variables.steps, variables.serviceAlone),
      command: [
        // Steps know the certificates that we know, which are those of the machine (src/cli.ts).
        ...[process.execPath, '--use-system-ca'],
        ...[program, 'step', '--wait', '--messages', '3'],
        ...['--config', await writeConfiguration(configuration)],
      ],
      stepMinutes: limits['step-minutes'],
      logBytes: limits['log-mib'] * 2 ** 20,
    },
    makeRoom: () => makeRoom(state, configuration),
    toolSet: once(async () => toolSet(await builderVersion())),
    removeFolder: async (folder) => {
      await removeStepFolder(folder);
      // A step that was killed in the middle of a container build could not remove its storage.
      await sweepStorage(state);
    },
    now: () => new Date(),
  });
  const close = async () => {
    await engine.close();
    store.close();
  };
  return { engine, close };
}

/**
 * Steps get what was loaded, not the file that it came from: an edit takes effect when the service is
 * started anew, for all at once. Secrets are named in it, not told. The name is that of the content.
 */
async function writeConfiguration(loaded: LoadedConfiguration): Promise<string> {
  const { file: _, ...configuration } = loaded;
  const path = join(
    loaded.state,
    `configuration-${canonicalHash(configuration).slice(0, 12)}.json`,
  );
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, JSON.stringify(configuration), { mode: 0o600 });
  await rename(draft, path);
  return path;
}
