import type { Configuration } from '../config/config.ts';
import { readSecret } from '../config/load-config.ts';
import { createGit, type Git } from './git-command.ts';

/** git as the configuration lets it reach servers. Throws FailureError where a secret cannot be read. */
export async function openGit(
  configuration: Pick<Configuration, 'urls' | 'git'>,
  environment: Readonly<Record<string, string | undefined>>,
  signal?: AbortSignal,
): Promise<Git> {
  const { credentials, ca } = configuration.git;
  const read = Object.entries(credentials).map(async ([host, { username, password }]) => {
    return [host, { username, password: await readSecret(password, environment) }] as const;
  });
  const settings = {
    urls: configuration.urls,
    credentials: Object.fromEntries(await Promise.all(read)),
  };
  return createGit({ ...settings, ...(ca !== undefined && { ca }) }, signal);
}
