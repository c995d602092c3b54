import { join } from 'node:path';
import { type LoadedConfiguration, readSecret } from '../../config/load-config.ts';
import type { Forges } from '../../resolve/forge.ts';
import type { GitServers } from '../../resolve/git-interface.ts';
import { briefPatience, createPersist } from '../persist.ts';
import { openShelf } from '../storage/shelf.ts';
import { createGit, type GitConditions } from './git-command.ts';
import { createMirrors, type OpenedMirrors } from './git-mirrors.ts';
import { createGitServers } from './git-servers.ts';
import type { GitSettings } from './git-settings.ts';
import { createGitHubForge } from './github-forge.ts';

/** Everything that Tributary does with git, and the forges that are configured. */
export interface GitTools {
  readonly servers: GitServers;
  readonly mirrors: OpenedMirrors;
  readonly forges: Forges;
}

/** Git as a configuration says. Throws FailureError `bad-configuration` where a secret is missing. */
export async function openGit(
  configuration: Pick<LoadedConfiguration, 'git' | 'urls' | 'forges' | 'state' | 'limits'>,
  environment: Readonly<Record<string, string | undefined>>,
  options: GitConditions & {
    readonly protocols?: readonly string[];
    /** Milliseconds that a mirror is kept from being removed after it was asked for; default: as long as this process lives. */
    readonly holdMirrors?: number;
  } = {},
): Promise<GitTools> {
  const settings: GitSettings = {
    urls: configuration.urls,
    fetchBytes: configuration.limits['fetch-mib'] * 2 ** 20,
    memoryBytes: configuration.limits['git-memory-mib'] * 2 ** 20,
    credentials: await readCredentials(configuration, environment),
    ...(configuration.git.ca === undefined ? {} : { ca: configuration.git.ca }),
    ...(options.protocols === undefined ? {} : { protocols: options.protocols }),
  };
  const idle = configuration.limits['silence-seconds'] * 1000;
  const git = createGit(settings, { idle, ...options });
  const forges = Object.entries(configuration.forges).map(
    ([host, { api, token }]) =>
      [
        host,
        createGitHubForge(
          api,
          () => readSecret(token, environment),
          options.persist ?? createPersist(briefPatience, options),
        ),
      ] as const,
  );
  return {
    servers: createGitServers(git),
    mirrors: createMirrors(
      git,
      openShelf(join(configuration.state, 'mirrors')),
      join(configuration.state, 'histories'),
      options.holdMirrors,
    ),
    forges: new Map(forges),
  };
}

async function readCredentials(
  { git }: Pick<LoadedConfiguration, 'git'>,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<GitSettings['credentials']> {
  const read = Object.entries(git.credentials).map(async ([host, { username, password }]) => {
    return [host, { username, password: await readSecret(password, environment) }] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}
