import type { Configuration } from './config.ts';

/** Names of the environment variables that hold secrets of this configuration, by who needs them. */
export function secretVariables(configuration: Pick<Configuration, 'git' | 'forges' | 'notify'>): {
  readonly steps: readonly string[];
  readonly serviceAlone: readonly string[];
} {
  const git = Object.values(configuration.git.credentials).map(({ password }) => password);
  const others = [
    ...Object.values(configuration.forges).map(({ token }) => token),
    ...Object.values(configuration.notify).map(({ secret }) => secret),
  ];
  const steps = namesOf(git);
  // A caller's token is for the service that it calls.
  const alone = ['TRIBUTARY_TOKEN', ...namesOf(others)];
  return { steps, serviceAlone: alone.filter((name) => !steps.includes(name)) };
}

function namesOf(secrets: readonly ({ file: string } | { env: string })[]): string[] {
  return secrets.flatMap((secret) => ('env' in secret ? [secret.env] : []));
}
