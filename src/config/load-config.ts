import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { FailureError } from '../builds/failure.ts';
import type { Configuration } from './config.ts';
import { parseConfiguration } from './parse-config.ts';

/** A configuration whose paths are absolute and whose state folder is decided. */
export type LoadedConfiguration = Configuration & {
  readonly state: string;
  /** The file it was read from: what `tributary step --config` is given. */
  readonly file: string;
};

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the configuration: `file` (`--config`), else TRIBUTARY_CONFIG, else
 * `$XDG_CONFIG_HOME/tributary/config.yaml`. Throws FailureError `bad-configuration` with everything
 * that is wrong in it, each with its line.
 */
export async function loadConfiguration(
  file: string | undefined,
  environment: Environment,
): Promise<LoadedConfiguration> {
  const path = findConfiguration(file, environment);
  const text = await readText(path);
  const outcome = parseConfiguration(text, path, homeFolder(environment));
  if (!outcome.ok) throw new FailureError(...outcome.failures);
  const state = outcome.value.state ?? defaultStateFolder(environment);
  return { ...outcome.value, state, file: path };
}

/** The configuration file that is meant, whether it exists or not. */
export function findConfiguration(file: string | undefined, environment: Environment): string {
  const named = file ?? environment['TRIBUTARY_CONFIG'];
  if (named !== undefined && named !== '') return resolve(named);
  const base = xdgFolder(environment, 'XDG_CONFIG_HOME', '.config');
  return join(base, 'tributary', 'config.yaml');
}

/** `$XDG_STATE_HOME/tributary`: where a configuration without `state` keeps everything. */
export function defaultStateFolder(environment: Environment): string {
  return join(xdgFolder(environment, 'XDG_STATE_HOME', '.local/state'), 'tributary');
}

/** The text of a secret. It is read when it is needed, so that a rotated file counts at once. */
export async function readSecret(
  secret: { readonly file: string } | { readonly env: string },
  environment: Environment,
): Promise<string> {
  if ('env' in secret) {
    const value = environment[secret.env];
    if (value !== undefined && value !== '') return value;
    throw new FailureError({
      reason: 'bad-configuration',
      detail: `The secret in the environment variable ${secret.env} is not set.`,
      hint: `Start with ${secret.env}=… set, or name a file in the configuration.`,
    });
  }
  const text = await readFile(secret.file, 'utf8').catch((error: Error) => {
    throw new FailureError({
      reason: 'bad-configuration',
      detail: `The secret file ${secret.file} cannot be read: ${error.message}.`,
      hint: 'Create it, readable by this user only, or correct its path in the configuration.',
    });
  });
  return text.trim();
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new FailureError({
      reason: 'bad-configuration',
      detail: missing
        ? `There is no configuration ${path}.`
        : `The configuration ${path} cannot be read: ${(error as Error).message}.`,
      hint: 'Write one (docs/reference/configuration.md begins with a short example), or name another with --config FILE or TRIBUTARY_CONFIG.',
    });
  }
}

function xdgFolder(environment: Environment, variable: string, fallback: string): string {
  const value = environment[variable];
  // The XDG specification: a relative path is invalid and must be ignored.
  return value?.startsWith('/') ? value : join(homeFolder(environment), fallback);
}

function homeFolder(environment: Environment): string {
  return environment['HOME'] || homedir();
}
