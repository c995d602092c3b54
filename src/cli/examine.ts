import { existsSync } from 'node:fs';
import { access, constants, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspectTools } from '../adapters/builder/tools.ts';
import { createPersist, probePatience } from '../adapters/persist.ts';
import { createRegistry } from '../adapters/registry/registry.ts';
import { attempt, FailureError } from '../builds/failure.ts';
import { Configuration } from '../config/config.ts';
import {
  defaultStateFolder,
  type LoadedConfiguration,
  loadConfiguration,
} from '../config/load-config.ts';
import { findProductFile, readProduct } from '../config/read-product.ts';
import type { CliIo, GlobalOptions } from './cli-io.ts';
import type { Check, Examination, FoundProduct } from './examination.ts';
import { databaseFile, openStore } from './open-store.ts';
import { requestParts } from './request-parts.ts';
import { findRunningService } from './running-service.ts';

/** Looks at this machine for real. */
export function examine(globals: GlobalOptions, io: CliIo): Examination {
  return {
    configuration: () => loadConfiguration(globals.config, io.environment),
    product: async (configuration) => {
      const file = findProductFile(globals.product, configuration);
      return file === undefined ? undefined : { file, ...(await readProduct(file)) };
    },
    releases: (configuration, product) =>
      globals.product === undefined
        ? Promise.resolve([])
        : checkReleases(configuration, product, io.environment),
    machine: async (configuration) => {
      const { tools } = configuration ?? Configuration.pick({ tools: true }).parse({});
      const state = configuration?.state ?? defaultStateFolder(io.environment);
      const checks = await inspectTools({ tools }, state);
      return [
        nodeVersion(),
        ...checks.map(({ found, hint, ...check }) => ({
          ...check,
          detail: found,
          hint: hint || null,
        })),
      ];
    },
    state: checkState,
    registries: (configuration) =>
      Promise.all(
        Object.entries(configuration.remotes).map(([name, { push }]) =>
          checkRegistry(name, push, configuration),
        ),
      ),
  };
}

function nodeVersion(): Check {
  const enough = Number(process.versions.node.split('.', 1)[0]) >= 24;
  const hint = enough
    ? null
    : 'Run `npm ci` in the checkout: `npx tributary` then uses the Node that it brings.';
  return { name: 'node', ok: enough, detail: process.versions.node, hint };
}

async function checkState({ state }: LoadedConfiguration): Promise<Check[]> {
  try {
    await mkdir(state, { recursive: true });
    await access(state, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new FailureError({
      reason: 'bad-configuration',
      detail: `The state folder ${state} cannot be written: ${(error as Error).message}.`,
      hint: 'Name another in the configuration: `state`, or let this user own it.',
    });
  }
  if (existsSync(databaseFile(state))) (await openStore(state, true)).close();
  const running = await findRunningService(join(state, 'service.json'));
  const detail = running === undefined ? state : `${state}, served at ${running}`;
  return [{ name: 'state', ok: true, detail, hint: null }];
}

/** Fetches the productization repository and all that it pins, as `plan` does for a build without a change. */
async function checkReleases(
  configuration: LoadedConfiguration,
  found: FoundProduct,
  environment: CliIo['environment'],
): Promise<Check[]> {
  const scratch = await mkdtemp(join(tmpdir(), 'tributary-doctor-'));
  const parts = requestParts({
    ...{ configuration, environment, scratch },
    product: () => Promise.resolve(found),
    signal: new AbortController().signal,
    trust: { demand: 'none', owners: new Set(), approvals: { find: async () => undefined } },
  });
  const checks: Check[] = [];
  try {
    for (const [release, { branch }] of Object.entries(found.product.releases)) {
      const name = `release ${release}`;
      const failures = await parts.examine(release);
      if (failures.length === 0)
        checks.push({ name, ok: true, detail: `can be planned as ${branch} is`, hint: null });
      checks.push(...failures.map(({ detail, hint }) => ({ name, ok: false, detail, hint })));
    }
    return checks;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The registry of a remote answers, and takes our credential where one is configured. */
async function checkRegistry(
  name: string,
  push: string,
  configuration: LoadedConfiguration,
): Promise<Check> {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-doctor-'));
  try {
    const registry = await createRegistry(configuration, {
      folder,
      persist: createPersist(probePatience),
    });
    const outcome = await attempt(() => registry.manifest(`${push}/tributary:doctor`));
    const title = `remote ${name}`;
    if (outcome.ok) return { name: title, ok: true, detail: `${push} answers`, hint: null };
    const [{ detail, hint }] = outcome.failures;
    return { name: title, ok: false, detail, hint };
  } finally {
    await rm(folder, { recursive: true });
  }
}
