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
import { openAccess, trustOf } from './open-access.ts';
import { openLocalEngine } from './open-local-engine.ts';
import { requestParts } from './request-parts.ts';

interface LocalServiceOptions {
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

interface LocalService {
  readonly service: Service;
  readonly engine: Engine;
  /** Who may use it over a network; undefined: whoever reaches it. */
  readonly guard: Guard | undefined;
  close(): Promise<void>;
}

/** Everything that Tributary does, in this process, on the local engine. */
export async function openLocalService(options: LocalServiceOptions): Promise<LocalService> {
  const { configuration, environment, work, url, observe = (engine) => engine } = options;
  const report = (text: string, error?: unknown) => {
    const why = error instanceof Error ? `: ${error.message}` : '';
    process.stderr.write(`${text}${why}\n`);
  };
  const ending = new AbortController();
  const notify = createNotify({ configuration, environment, report });
  const local = await openLocalEngine({ configuration, work, notify, report });
  const engine = observe(local.engine);
  const product = once(() => findProduct(options));
  const scratch = await makeScratchFolder(configuration.state);
  const { guard, approvals, close: closeAccess } = await openAccess(configuration, environment);
  const { ownerOf, ...parts } = requestParts({
    configuration,
    product,
    environment,
    scratch: scratch.folder,
    signal: ending.signal,
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
    trust: { ...trustOf(configuration), ownerOf },
  });
  const close = async () => {
    ending.abort();
    closeAccess();
    await local.close();
    await scratch.remove();
  };
  return { service, engine, guard, close };
}

/** The product file that is named, or lies beside the configuration. Throws FailureError `bad-product`. */
export async function findProduct({
  product,
  configuration,
  environment,
}: Pick<LocalServiceOptions, 'product' | 'environment' | 'configuration'>): Promise<ReadProduct> {
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
