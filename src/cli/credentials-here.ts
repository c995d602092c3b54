import { existsSync } from 'node:fs';
import type { LoadedConfiguration } from '../config/load-config.ts';

/**
 * The configuration of a container that has only some of the secrets mounted: where there is no push secret, what may be pulled with the
 * other is.
 */
export function withCredentialsHere(configuration: LoadedConfiguration): LoadedConfiguration {
  const { remotes, authfile, ...rest } = configuration;
  const here = (...files: readonly (string | undefined)[]) =>
    files.find((file) => file !== undefined && existsSync(file));
  const optional = <Key extends string>(key: Key, file: string | undefined) =>
    file === undefined ? {} : ({ [key]: file } as Record<Key, string>);
  return {
    ...rest,
    ...optional('authfile', here(authfile)),
    remotes: Object.fromEntries(
      Object.entries(remotes).map(([name, remote]) => {
        const { authfile: push, 'pull-secret': pull, ...others } = remote;
        const credentials = {
          ...optional('authfile', here(push, pull)),
          ...optional('pull-secret', here(pull)),
        };
        return [name, { ...others, ...credentials }];
      }),
    ),
  };
}
