import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { LoadedConfiguration } from '../config/load-config.ts';
import { usualPushSecret } from '../steps/task-input.ts';

/**
 * The configuration of a container that has only some of the secrets mounted: where there is no push secret, what may be pulled with the
 * other is. `pushSecret`: the folder where the push secret is, if not the one that the configuration names.
 */
export function withCredentialsHere(
  configuration: LoadedConfiguration,
  pushSecret = usualPushSecret,
): LoadedConfiguration {
  const { remotes, authfile, ...rest } = configuration;
  const here = (...files: readonly (string | undefined)[]) =>
    files
      .map((file) => file && placed(file, pushSecret))
      .find((file) => file !== undefined && existsSync(file));
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

function placed(file: string, pushSecret: string): string {
  const inner = relative(usualPushSecret, file);
  return inner.startsWith('..') ? file : join(pushSecret, inner);
}
