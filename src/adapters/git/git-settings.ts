import { networkVariables } from '../processes/command.ts';

/** How this machine reaches git servers: what the configuration says, with secrets already read. */
export interface GitSettings {
  /** Rewrites of URLs, prefix → prefix. */
  readonly urls: Readonly<Record<string, string>>;
  /** Host (with its port, where it has one) → credential. */
  readonly credentials: Readonly<Record<string, { username: string; password: string }>>;
  /** File of further certificate authorities. */
  readonly ca?: string;
  /** Bytes that one fetch may bring; default: any. */
  readonly fetchBytes?: number;
  /** Bytes of memory that git may take while it talks to a server; default: any. */
  readonly memoryBytes?: number;
  /** What git may speak; default: http, https and ssh. Tests add `file`. */
  readonly protocols?: readonly string[];
}

/** One setting of git, as `-c key=value` would give it. */
export type GitSetting = readonly [key: string, value: string];

/**
 * The whole environment of a git process. Nothing of the user's own configuration counts, and every
 * setting goes through the environment: a command line is seen by every user of the machine.
 */
export function gitEnvironment(
  settings: GitSettings,
  more: readonly GitSetting[],
): Record<string, string> {
  const all = [...fixed, ...fromSettings(settings), ...more];
  return {
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_SYSTEM: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/false',
    GIT_SSH_COMMAND: 'ssh -oBatchMode=yes',
    GIT_ALLOW_PROTOCOL: (settings.protocols ?? ['http', 'https', 'ssh']).join(':'),
    // A repository above the working folder must never be mistaken for ours.
    GIT_CEILING_DIRECTORIES: '/',
    ...(settings.ca === undefined ? {} : { GIT_SSL_CAINFO: settings.ca }),
    GIT_CONFIG_COUNT: String(all.length),
    ...Object.fromEntries(
      all.flatMap(([key, value], index) => [
        [`GIT_CONFIG_KEY_${index}`, key],
        [`GIT_CONFIG_VALUE_${index}`, value],
      ]),
    ),
  };
}

/** Variables of our own environment that git needs besides. */
export const gitVariables: readonly string[] = [...networkVariables, 'SSH_AUTH_SOCK'];

/** What would change results or mirrors from machine to machine, or with git's next version. */
const fixed: readonly GitSetting[] = [
  ['protocol.version', '2'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  ['fetch.recurseSubmodules', 'false'],
  ['fetch.writeCommitGraph', 'false'],
  ['transfer.fsckObjects', 'false'],
  // One file for all that a fetch brings: its size can be limited.
  ['fetch.unpackLimit', '1'],
  // Larger files are never in memory as a whole while they come in.
  ['core.bigFileThreshold', '64m'],
  // Git would take our credential along to any host: see followRedirects.
  ['http.followRedirects', 'false'],
  // A server that sends less for half a minute is gone; while it packs, it sends five bytes every five seconds.
  ['http.lowSpeedLimit', '1'],
  ['http.lowSpeedTime', '30'],
  ['core.attributesFile', '/dev/null'],
  ['core.autocrlf', 'false'],
  ['core.quotePath', 'false'],
  ['core.hooksPath', '/dev/null'],
  ['merge.renames', 'true'],
  ['merge.renameLimit', '7000'],
  ['merge.directoryRenames', 'conflict'],
  ['merge.renormalize', 'false'],
  ['diff.algorithm', 'myers'],
  ['apply.whitespace', 'nowarn'],
  ['apply.ignoreWhitespace', 'no'],
  ['commit.gpgSign', 'false'],
  ['i18n.commitEncoding', 'UTF-8'],
];

/** What git asks in place of `url`, once prefixes are rewritten: of several, the longest counts. */
export function reachedUrl({ urls }: GitSettings, url: string): string {
  const [prefix] = Object.keys(urls)
    .filter((candidate) => url.startsWith(candidate))
    .sort((a, b) => b.length - a.length);
  return prefix === undefined ? url : `${urls[prefix]}${url.slice(prefix.length)}`;
}

function fromSettings(settings: GitSettings): GitSetting[] {
  const rewrites = Object.entries(settings.urls).map(
    ([from, to]): GitSetting => [`url.${to}.insteadOf`, from],
  );
  const credentials = Object.entries(settings.credentials).flatMap(([host, credential]) => {
    const pair = Buffer.from(`${credential.username}:${credential.password}`).toString('base64');
    return schemes(host).map(
      (scheme): GitSetting => [
        `http.${scheme}://${host}/.extraHeader`,
        `Authorization: Basic ${pair}`,
      ],
    );
  });
  return [...rewrites, ...credentials];
}

/** A credential never travels in the clear, but on this machine itself. */
function schemes(host: string): readonly string[] {
  return /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:\d+)?$/.test(host)
    ? ['https', 'http']
    : ['https'];
}
