import { mkdir, rm } from 'node:fs/promises';
import { createNotify } from '../adapters/notify.ts';
import { createBuildService } from '../api/build-service.ts';
import type { Guard } from '../api/parts.ts';
import type { Service } from '../api/service.ts';
import { FailureError } from '../builds/failure.ts';
import { once } from '../builds/once.ts';
import type { LoadedConfiguration } from '../config/load-config.ts';
import { findProductFile, type ReadProduct, readProduct } from '../config/read-product.ts';
import type { Engine } from '../engine/engine.ts';
import { registerOwner } from '../engine/local/owner.ts';
import { temporaryFolder } from '../engine/local/state-folder.ts';
import { withCredentialsHere } from './credentials-here.ts';
import type { exportAgain } from './export-again.ts';
import { openAccess, trustOf } from './open-access.ts';
import { openEngine } from './open-engine.ts';
import { requestParts } from './request-parts.ts';

interface OwnServiceOptions {
  readonly configuration: LoadedConfiguration;
  /** The product file; default: beside the configuration. */
  readonly product?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether it also builds: for a service everything, for a command what it asked for, or nothing. */
  readonly work: 'all' | 'own' | 'none';
  /** Where it is reached; undefined: not at all. */
  readonly url?: string;
  /** Wraps the engine before anything uses it. */
  readonly observe?: (engine: Engine) => Engine;
}

interface OwnService {
  readonly service: Service;
  readonly engine: Engine;
  /** Who may use it over a network; undefined: whoever reaches it. */
  readonly guard: Guard | undefined;
  /** Makes what a build exports, where that was made elsewhere. */
  readonly exportAgain: ReturnType<typeof exportAgain>;
  close(): Promise<void>;
}

/** Everything that Tributary does, in this process, on the engine that the configuration names. */
export async function openOwnService(options: OwnServiceOptions): Promise<OwnService> {
  const { environment, work, url, observe = (engine) => engine } = options;
  // The push secret of a service on a cluster is with its builds alone.
  const configuration =
    options.configuration.engine === 'tekton'
      ? withCredentialsHere(options.configuration)
      : options.configuration;
  const report = (text: string, error?: unknown) => {
    const why = error instanceof Error ? `: ${error.message}` : '';
    process.stderr.write(`${text}${why}\n`);
  };
  const ending = new AbortController();
  const notify = createNotify({ configuration, environment, report });
  const product = once(() => findProduct(options));
  // What is open when something after it fails is closed again, the last one first.
  await using opening = new AsyncDisposableStack();
  const scratch = opening.adopt(await makeScratchFolder(configuration.state), (folder) =>
    folder.remove(),
  );
  const opened = await openEngine({
    ...{ configuration, work, notify, report, environment, url },
    scratch: scratch.folder,
  });
  opening.defer(() => opened.close());
  // After the engine: that looks first whether the database which both use was lost.
  const access = await openAccess(configuration, environment);
  const { guard, approvals } = opening.adopt(access, (one) => one.close());
  const engine = observe(opened.engine);
  const { exportAgain, ...parts } = requestParts({
    configuration,
    product,
    environment,
    scratch: scratch.folder,
    signal: ending.signal,
    trust: { ...trustOf(configuration), approvals },
    // A command by itself has the time of whoever typed it.
    ...(url !== undefined && { answerSeconds: configuration.limits['answer-seconds'] }),
  });
  const service = createBuildService({
    engine,
    product: async () => (await product()).product,
    configuration,
    url: () => url,
    ...parts,
    approvals,
  });
  const openedAll = opening.move();
  const close = async () => {
    ending.abort();
    await openedAll.disposeAsync();
  };
  return { service, engine, guard, exportAgain, close };
}

/** The product file that is named, or lies beside the configuration. Throws FailureError `bad-product`. */
export async function findProduct({
  product,
  configuration,
  environment,
}: Pick<OwnServiceOptions, 'product' | 'environment' | 'configuration'>): Promise<ReadProduct> {
  const file = findProductFile(product ?? environment['TRIBUTARY_PRODUCT'], configuration);
  if (file !== undefined) return readProduct(file);
  throw new FailureError({
    reason: 'bad-product',
    detail: 'No product file is named.',
    hint: 'Name it with --product FILE or TRIBUTARY_PRODUCT, or put product.yaml beside the configuration.',
  });
}

/** A folder for small files while this process lives; it has a name that the next engine's sweep knows. */
async function makeScratchFolder(
  state: string,
): Promise<{ readonly folder: string; remove(): Promise<void> }> {
  const owner = registerOwner();
  const folder = temporaryFolder(state, owner.id);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const remove = async () => {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    owner.release();
  };
  return { folder, remove };
}
