import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { createBuilder } from './adapters/buildah.ts';
import { openGit } from './adapters/git.ts';
import { createGitHttp } from './adapters/git-http.ts';
import { createNotify } from './adapters/notify.ts';
import { createRegistry } from './adapters/registry.ts';
import { createApp } from './api/app.ts';
import {
  createBuildService,
  type ResolvedRequest,
  type ServiceParts,
} from './api/build-service.ts';
import { createMetrics } from './api/metrics.ts';
import { countOpen, observed } from './api/observe-builds.ts';
import type { Service } from './api/service.ts';
import { attempt, FailureError, type Outcome } from './builds/failure.ts';
import { openLocalEngine } from './cli/open-local-engine.ts';
import { findRunningService } from './cli/running-service.ts';
import { type LoadedConfiguration, loadConfiguration } from './config/load-config.ts';
import { isLoopback } from './config/parse-config.ts';
import { findProductFile, readProduct } from './config/read-product.ts';
import type { Engine } from './engine/engine.ts';
import { registerOwner } from './engine/local/owner.ts';
import { temporaryFolder } from './engine/local/state-folder.ts';
import { tagFor } from './plan/tag.ts';
import type { Product } from './product/product.ts';
import { readRequest } from './request/read-request.ts';
import { resolveRequest } from './resolve/resolve-request.ts';
import { shared } from './resolve/shared-servers.ts';
import { lookUpHits } from './steps/prepare/look-up-hits.ts';
import { prepare } from './steps/prepare/run-prepare.ts';

type Environment = Readonly<Record<string, string | undefined>>;

interface LocalServiceOptions {
  readonly configuration: LoadedConfiguration;
  /** The product file; default: beside the configuration. */
  readonly product?: string;
  readonly environment: Environment;
  /** Whether it also builds: for a service everything, for a command what it asked for, or nothing. */
  readonly work: 'all' | 'own' | 'none';
  /** Where it is reached; undefined: not at all. */
  readonly url?: string;
  /** Wraps the engine before anything uses it. */
  readonly observe?: (engine: Engine) => Engine;
}

/** Everything that Tributary does, in this process, on the local engine. */
export async function openLocalService(
  options: LocalServiceOptions,
): Promise<{ readonly service: Service; readonly engine: Engine; close(): Promise<void> }> {
  const { configuration, environment, work, url, observe = (engine) => engine } = options;
  const report = (text: string) => process.stderr.write(`${text}\n`);
  const ending = new AbortController();
  const notify = createNotify({ configuration, environment, report });
  const local = await openLocalEngine({ configuration, work, notify, report });
  const engine = observe(local.engine);
  const product = once(() => findProduct(options));
  const scratch = await makeScratchFolder(configuration.state);
  const service = createBuildService({
    engine,
    product,
    configuration,
    url: () => url,
    ...requestParts({
      configuration,
      product,
      environment,
      scratch: scratch.folder,
      signal: ending.signal,
    }),
  });
  const close = async () => {
    ending.abort();
    await local.close();
    await scratch.remove();
  };
  return { service, engine, close };
}

interface ServiceOptions {
  /** The configuration file; default: where load-config.ts looks. */
  readonly config?: string;
  readonly product?: string;
  /** Instead of the configuration's `listen`. */
  readonly listen?: string;
  readonly environment: Environment;
}

/** `tributary serve`: the HTTP service on a state folder of its own, until `close`. */
export async function startService(
  options: ServiceOptions,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const loaded = await loadConfiguration(options.config, options.environment);
  const address = await addressOf(options.listen ?? loaded.listen);
  const configuration = { ...loaded, listen: `${address.host}:${address.port}` };
  const url = (loaded.url ?? `http://${configuration.listen}`).replace(/\/+$/, '');
  const file = join(configuration.state, 'service.json');
  await refuseSecond(file, configuration.state);

  const closing = new AbortController();
  const since = new Date().toISOString();
  const metrics = createMetrics(() => countOpen(local.engine));
  const local = await openLocalService({
    configuration: { ...configuration, url },
    environment: options.environment,
    ...(options.product === undefined ? {} : { product: options.product }),
    ...{
      work: 'all',
      url,
      observe: (engine: Engine) => observed(engine, metrics, since, closing.signal),
    },
  });
  try {
    // What is wrong with the product is said now, not with the first request.
    if (!(await local.service.components()).ok) await findProduct({ ...options, configuration });
    const app = await createApp({
      service: local.service,
      metrics,
      git: createGitHttp(configuration.state),
      hosts: [new URL(url).hostname],
      closing: closing.signal,
      logger: { level: options.environment['TRIBUTARY_LOG'] ?? 'warn' },
    });
    await app.listen({ host: address.host.replace(/^\[|\]$/g, ''), port: address.port });
    await writeWhole(
      file,
      JSON.stringify({ url: `http://${configuration.listen}`, pid: process.pid }),
    );
    const close = async () => {
      closing.abort();
      await rm(file, { force: true });
      await app.close();
      await local.close();
    };
    return { url, close };
  } catch (error) {
    await local.close();
    throw error;
  }
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

interface RequestPartsOptions {
  readonly configuration: LoadedConfiguration;
  product(): Promise<Product>;
  readonly environment: Environment;
  /** For small files. */
  readonly scratch: string;
  readonly signal: AbortSignal;
}

/** The parts that read a request: git, the registry, the builder's version. */
function requestParts({
  configuration,
  product,
  environment,
  scratch,
  signal,
}: RequestPartsOptions): Pick<ServiceParts, 'resolve' | 'plan' | 'checks'> {
  const tools = once(async () => {
    const git = await openGit(configuration, environment, { signal });
    return { ...git, servers: shared(git.servers, Date.now) };
  });
  const registry = once(() => createRegistry(configuration, { folder: scratch, signal }));
  // Planning fetches and merges: two at once leave the machine to the builds.
  const planning = pLimit(2);

  const resolve = async (body: unknown): Promise<Outcome<ResolvedRequest>> => {
    const known = await product();
    const { request, failures } = readRequest(body, known, configuration);
    const context = { ...(await tools()), configuration, platform: platformOf(process.arch) };
    // Whatever is wrong, its refs are looked up too: all problems are told at once.
    const resolved = request && (await resolveRequest(request, known, context));
    const [first, ...rest] = [...failures, ...(resolved?.ok === false ? resolved.failures : [])];
    if (first !== undefined) return { ok: false, failures: [first, ...rest] };
    if (!request || !resolved?.ok) throw new Error('nothing is wrong, and nothing is resolved');
    const { notify, rebuild } = request;
    return { ok: true, value: { ...resolved.value, product: known, notify, rebuild } };
  };

  const plan: ServiceParts['plan'] = (request, stop) =>
    planning(() =>
      attempt(async () => {
        const workdir = await mkdtemp(join(scratch, 'plan-'));
        try {
          const reach = await registry();
          const tag = tagFor(request.lock.name, request.lockDigest);
          const made = await prepare(request.lock, request.product, {
            ...{ tag, configuration, workdir, publish: false, registry: reach },
            mirrors: (await tools()).mirrors,
            builder: await createBuilder(configuration, { state: configuration.state }),
            signal: AbortSignal.any([stop, signal]),
            log: () => {},
            progress: () => {},
          });
          const hits = await lookUpHits(made, reach);
          const steps = made.steps.map(({ id, kind, needs, weight, key }) => ({
            ...{ id, kind, needs, weight, key },
            hit: hits[id] ?? null,
          }));
          return { tag, operatorVersion: made.operatorVersion, patches: made.patches, steps };
        } finally {
          await rm(workdir, { recursive: true, force: true });
        }
      }),
    );

  // A probe shall hear at once what does not answer: the one after it will try again.
  const probe = once(() =>
    createRegistry(configuration, { folder: scratch, signal, retryDelay: 50 }),
  );
  const checks = forSeconds(2, () =>
    Promise.all(
      Object.entries(configuration.remotes).map(async ([name, { push }]) => {
        const outcome = await attempt(async () =>
          (await probe()).manifest(`${push}/tributary:none`),
        );
        return {
          name: `registry ${name}`,
          ok: outcome.ok,
          detail: outcome.ok ? `${push} answers` : outcome.failures[0].detail,
        };
      }),
    ),
  );

  return { resolve, plan, checks };
}

async function findProduct({
  product,
  configuration,
  environment,
}: Pick<LocalServiceOptions, 'product' | 'environment' | 'configuration'>): Promise<Product> {
  const file = findProductFile(product ?? environment['TRIBUTARY_PRODUCT'], configuration);
  if (file !== undefined) return readProduct(file);
  throw new FailureError({
    reason: 'bad-product',
    detail: 'No product file is named.',
    hint: 'Name it with --product FILE or TRIBUTARY_PRODUCT, or put product.yaml beside the configuration.',
  });
}

/** Port 0 becomes a free port at once: links and configuration of the steps must name it. */
async function addressOf(
  listen: string,
): Promise<{ readonly host: string; readonly port: number }> {
  if (!isLoopback(listen)) {
    throw new FailureError({
      reason: 'bad-configuration',
      detail: `${listen} is not a loopback address.`,
      hint: 'The service knows no users, so it listens on 127.0.0.1, [::1] or localhost only.',
    });
  }
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(listen) ?? [];
  return { host, port: port === '0' ? await freePort() : Number(port) };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

async function refuseSecond(file: string, state: string): Promise<void> {
  const running = await findRunningService(file);
  if (running === undefined) return;
  throw new FailureError({
    reason: 'bad-configuration',
    detail: `A service at ${running} works on ${state} already.`,
    hint: 'End it first, or give this one another `state` folder.',
  });
}

async function writeWhole(file: string, text: string): Promise<void> {
  await writeFile(`${file}.${process.pid}`, text, { mode: 0o600 });
  await rename(`${file}.${process.pid}`, file);
}

function platformOf(arch: string): string {
  return `linux/${arch === 'x64' ? 'amd64' : arch}`;
}

/** `make`, run at its first call; a failure is not kept. */
function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}

/** `ask`, at most once in so many seconds: whoever asks in between gets the same answer. */
function forSeconds<Value>(seconds: number, ask: () => Promise<Value>): () => Promise<Value> {
  let last: { readonly answer: Promise<Value>; readonly until: number } | undefined;
  return () => {
    const now = Date.now();
    if (last === undefined || now >= last.until)
      last = { answer: ask(), until: now + seconds * 1000 };
    return last.answer;
  };
}
