import { rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createGitHttp } from './adapters/git/git-http.ts';
import { createApp } from './api/app.ts';
import { createMetrics } from './api/metrics.ts';
import { observed } from './api/observe-builds.ts';
import { FailureError } from './builds/failure.ts';
import { checkAccess } from './cli/open-access.ts';
import { findProduct, openOwnService } from './cli/open-own-service.ts';
import { findRunningService } from './cli/running-service.ts';
import { type LoadedConfiguration, loadConfiguration } from './config/load-config.ts';
import { isUnprotected } from './config/parse-config.ts';
import type { Engine } from './engine/engine.ts';

interface ServiceOptions {
  /** The configuration file; default: where load-config.ts looks. */
  readonly config?: string;
  readonly product?: string;
  /** Instead of the configuration's `listen`. */
  readonly listen?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** `tributary serve`: the HTTP service on a state folder of its own, until `close`. */
export async function startService(
  options: ServiceOptions,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const loaded = await loadConfiguration(options.config, options.environment);
  const address = await addressOf(options.listen ?? loaded.listen, loaded);
  const configuration = { ...loaded, listen: `${address.host}:${address.port}` };
  const url = (loaded.url ?? `http://${configuration.listen}`).replace(/\/+$/, '');
  const file = join(configuration.state, 'service.json');
  await refuseSecond(file, configuration.state);

  const closing = new AbortController();
  const since = new Date().toISOString();
  const metrics = createMetrics(() => own.engine.countOpen());
  const own = await openOwnService({
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
    if (!(await own.service.components()).ok) await findProduct({ ...options, configuration });
    if (own.guard !== undefined) await checkAccess(own.guard);
    const app = await createApp({
      service: own.service,
      metrics,
      git: createGitHttp(
        configuration.state,
        // Builds of the local engine left in this folder all that there is to serve.
        configuration.engine === 'tekton' ? own.exportAgain : undefined,
      ),
      hosts: [new URL(url).hostname],
      ...(own.guard === undefined ? {} : { guard: own.guard }),
      closing: closing.signal,
      logger: { level: options.environment['TRIBUTARY_LOG'] ?? 'warn' },
    });
    await app
      .listen({ host: address.host.replace(/^\[|\]$/g, ''), port: address.port })
      .catch(refuseBusyPort(configuration.listen));
    await writeWhole(
      file,
      JSON.stringify({ url: `http://${configuration.listen}`, pid: process.pid }),
    );
    const close = async () => {
      closing.abort();
      await rm(file, { force: true });
      await app.close();
      await own.close();
    };
    return { url, close };
  } catch (error) {
    await own.close();
    throw error;
  }
}

/** What a service says that finds its port taken, forbidden or on another machine. */
function refuseBusyPort(listen: string) {
  return (error: NodeJS.ErrnoException): never => {
    if (error.syscall !== 'listen') throw error;
    throw new FailureError({
      reason: 'bad-configuration',
      detail: `Nothing can listen on ${listen}: ${error.code === 'EADDRINUSE' ? 'another program does' : error.message}.`,
      hint: 'Name another address with --listen HOST:PORT, or `listen` in the configuration; port 0 takes a free one.',
    });
  };
}

/** Port 0 becomes a free port at once: links and configuration of the steps must name it. */
async function addressOf(
  listen: string,
  configuration: LoadedConfiguration,
): Promise<{ readonly host: string; readonly port: number }> {
  if (isUnprotected(listen, configuration)) {
    throw new FailureError({
      reason: 'bad-configuration',
      detail: `${listen} is not a loopback address.`,
      hint: 'The service knows no users, so it listens on 127.0.0.1, [::1] or localhost only; on a cluster, set `access.callers: kubernetes`.',
    });
  }
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(listen) ?? [];
  if (port === '' || Number(port) > 65_535) {
    throw new FailureError({
      reason: 'bad-configuration',
      detail: `${listen} is no address to listen on.`,
      hint: 'Write HOST:PORT, such as 127.0.0.1:8080; port 0 takes a free one.',
    });
  }
  return { host, port: Number(port) === 0 ? await freePort() : Number(port) };
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
