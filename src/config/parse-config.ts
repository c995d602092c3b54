import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import type { Failure, Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import { Configuration } from './config.ts';
import { describeIssues } from './describe-issues.ts';
import { parseYaml } from './parse-yaml.ts';

/** Text of a configuration file → configuration with absolute paths, or everything that is wrong with it. */
export function parseConfiguration(
  text: string,
  file: string,
  home: string,
): Outcome<Configuration> {
  const yaml = parseYaml(text);
  if (!yaml.ok) return fail(file, yaml.problems);
  const parsed = Configuration.safeParse(yaml.value ?? {});
  if (!parsed.success) {
    const problems = describeIssues(parsed.error.issues as z.core.$ZodIssue[], Configuration);
    return fail(
      file,
      problems.map(({ path, text }) => ({ line: yaml.lineOf(path), text })),
    );
  }
  const wrong = contradictions(parsed.data);
  if (wrong.length > 0) {
    return fail(
      file,
      wrong.map(({ path, text }) => ({ line: yaml.lineOf(path), text })),
    );
  }
  return ok(withAbsolutePaths(parsed.data, dirname(file), home));
}

/** What the schema cannot say. */
function contradictions(configuration: Configuration): { path: string[]; text: string }[] {
  const found: { path: string[]; text: string }[] = credentialsInUrls(configuration);
  if (isUnprotected(configuration.listen, configuration)) {
    found.push({
      path: ['listen'],
      text: `\`listen\`: ${configuration.listen} is not a loopback address; without \`access.callers: kubernetes\` the service knows no users, so it listens on 127.0.0.1, [::1] or localhost only`,
    });
  }
  if (configuration.engine === 'tekton' && configuration.tekton === undefined) {
    found.push({
      path: ['engine'],
      text: '`engine`: builds on a cluster need `tekton: {image: …}`, the image of Tributary',
    });
  }
  if (configuration.engine === 'tekton' && configuration['allow-unconfined']) {
    found.push({
      path: ['allow-unconfined'],
      text: "`allow-unconfined`: on a cluster no code runs with the service's rights; leave it out",
    });
  }
  const remotes = Object.entries(configuration.remotes);
  if (remotes.length === 0) {
    found.push({ path: ['remotes'], text: '`remotes`: name at least one place to push to' });
  }
  const defaults = remotes.filter(([, remote]) => remote.default).map(([name]) => name);
  if (defaults.length > 1) {
    found.push({
      path: ['remotes', defaults[1] as string, 'default'],
      text: `\`remotes\`: only one may be the default, not ${defaults.join(' and ')}`,
    });
  }
  if (defaults.length === 0 && remotes.length > 1) {
    found.push({ path: ['remotes'], text: '`remotes`: mark one of them with `default: true`' });
  }
  return found;
}

/** A URL is shown, logged and kept; the text does not repeat it. */
function credentialsInUrls(configuration: Configuration): { path: string[]; text: string }[] {
  const { urls, notify, forges, remotes, mirrors, url } = configuration;
  const places: [value: string | undefined, path: string[]][] = [
    [url, ['url']],
    ...Object.entries(urls).flatMap(([from, to]): [string, string[]][] => [
      [from, ['urls', from]],
      [to, ['urls', from]],
    ]),
    ...Object.entries(notify).map(([name, one]): [string, string[]] => [
      one.url,
      ['notify', name, 'url'],
    ]),
    ...Object.entries(forges).map(([host, { api }]): [string, string[]] => [
      api,
      ['forges', host, 'api'],
    ]),
    ...Object.entries(mirrors).map(([from, to]): [string, string[]] => [to, ['mirrors', from]]),
    ...Object.entries(remotes).flatMap(
      ([name, { push, pull }]): [string | undefined, string[]][] => [
        [push, ['remotes', name, 'push']],
        [pull, ['remotes', name, 'pull']],
      ],
    ),
  ];
  return places
    .filter(
      ([value]) =>
        /^([a-z][a-z0-9+.-]*:\/\/)?[^/@]*@/i.test(value ?? '') &&
        !/^(ssh:\/\/)?[\w-]+@/.test(value ?? ''),
    )
    .map(([, path]) => ({
      path,
      text: `\`${path.slice(0, 2).includes('urls') ? 'urls' : path.join('.')}\`: a user name or password stands in it; credentials go to \`git.credentials\`, \`authfile\` or \`secret\``,
    }));
}

/** Whether `host:port` names this machine only. */
function isLoopback(listen: string): boolean {
  const host = listen.replace(/:\d+$/, '');
  return host === 'localhost' || host === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/** Whether a service at `host:port` could be used by whoever reaches it over a network. */
export function isUnprotected(listen: string, { access }: Pick<Configuration, 'access'>): boolean {
  return access.callers === 'anyone' && !isLoopback(listen);
}

/** Paths in the file are relative to the file: it can be moved together with what it names. */
function withAbsolutePaths(
  configuration: Configuration,
  folder: string,
  home: string,
): Configuration {
  const path = (value: string) => resolve(folder, value.replace(/^~(?=\/|$)/, home));
  const secret = <Secret extends { file: string } | { env: string }>(value: Secret): Secret =>
    'file' in value ? { ...value, file: path(value.file) } : value;
  const optional = <Key extends string>(key: Key, value: string | undefined) =>
    value === undefined ? {} : ({ [key]: path(value) } as Record<Key, string>);
  const only = Object.keys(configuration.remotes).length === 1;

  return {
    ...configuration,
    ...optional('state', configuration.state),
    ...optional('authfile', configuration.authfile),
    ...(configuration.tekton && {
      tekton: {
        ...configuration.tekton,
        ...optional('kubeconfig', configuration.tekton.kubeconfig),
      },
    }),
    git: {
      ...configuration.git,
      ...optional('ca', configuration.git.ca),
      credentials: mapValues(configuration.git.credentials, (credential) => ({
        ...credential,
        password: secret(credential.password),
      })),
    },
    forges: mapValues(configuration.forges, (forge) => ({ ...forge, token: secret(forge.token) })),
    notify: mapValues(configuration.notify, (target) => ({
      ...target,
      secret: secret(target.secret),
    })),
    remotes: mapValues(configuration.remotes, (remote) => ({
      ...remote,
      default: remote.default || only,
      ...optional('authfile', remote.authfile),
      ...optional('pull-secret', remote['pull-secret']),
    })),
  };
}

function mapValues<Value>(
  record: Readonly<Record<string, Value>>,
  change: (value: Value) => Value,
) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}

function fail(file: string, problems: readonly { line: number; text: string }[]) {
  const failures = problems.map(
    ({ line, text }): Failure => ({
      reason: 'bad-configuration',
      detail: `${file}:${line}: ${text}.`,
      hint: 'Correct the line; docs/reference/configuration.md lists every key.',
    }),
  );
  return failed(...(failures as [Failure, ...Failure[]]));
}
