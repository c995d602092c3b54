import { join } from 'node:path';
import { FailureError } from '../builds/failure.ts';
import { loadConfiguration } from '../config/load-config.ts';
import { callerToken } from './caller-token.ts';
import type { CliIo, GlobalOptions, OpenedService } from './cli-io.ts';
import { findRunningService } from './running-service.ts';

/**
 * The service a command talks to: the one that `--server` names; else the one that holds the state
 * folder; else one in this process, for the time of the command. `work`: it shall also build.
 */
export async function openService(
  globals: GlobalOptions,
  io: CliIo,
  { work }: { readonly work: boolean },
): Promise<OpenedService> {
  if (globals.server !== undefined) return openRemote(checkUrl(globals.server), globals, io);
  const configuration = await loadConfiguration(globals.config, io.environment);
  const running = await findRunningService(join(configuration.state, 'service.json'));
  if (running !== undefined) return openRemote(running, globals, io);

  const { openOwnService } = await import('./open-own-service.ts');
  const own = await openOwnService({
    configuration,
    ...(globals.product === undefined ? {} : { product: globals.product }),
    environment: io.environment,
    work: work ? 'own' : 'none',
  });
  return { service: own.service, kind: 'local', [Symbol.asyncDispose]: () => own.close() };
}

async function openRemote(
  url: string,
  { token }: GlobalOptions,
  { environment }: CliIo,
): Promise<OpenedService> {
  const { createRemoteService } = await import('./remote-service.ts');
  const service = createRemoteService(url, callerToken(token, environment));
  return { service, kind: 'remote', [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]() };
}

function checkUrl(server: string): string {
  if (URL.canParse(server) && /^https?:$/.test(new URL(server).protocol)) return server;
  throw new FailureError({
    reason: 'bad-request',
    detail: `--server ${server} is not an HTTP URL.`,
    hint: 'Write it whole: http://127.0.0.1:8080.',
  });
}
