import type { Configuration } from './config.ts';

/** Names of the environment variables that hold secrets of this configuration: steps need to see them, too. */
export function secretVariables(
  configuration: Pick<Configuration, 'git' | 'forges' | 'notify'>,
): readonly string[] {
  const secrets = [
    ...Object.values(configuration.git.credentials).map(({ password }) => password),
    ...Object.values(configuration.forges).map(({ token }) => token),
    ...Object.values(configuration.notify).map(({ secret }) => secret),
  ];
  return secrets.flatMap((secret) => ('env' in secret ? [secret.env] : []));
}
