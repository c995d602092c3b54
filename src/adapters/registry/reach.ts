import type { Configuration } from '../../config/config.ts';

/** How to reach registries: the part of the configuration that says so. */
export type ReachConfiguration = Pick<
  Configuration,
  'mirrors' | 'registries' | 'remotes' | 'authfile'
>;

/** The reference where it is reachable: the longest prefix of `mirrors` that it begins with is replaced. */
export function mirrored(reference: string, mirrors: Readonly<Record<string, string>>): string {
  const prefix = Object.keys(mirrors)
    .filter((candidate) => isWithin(reference, candidate))
    .sort((a, b) => b.length - a.length)[0];
  return prefix === undefined ? reference : `${mirrors[prefix]}${reference.slice(prefix.length)}`;
}

/** Whether a reference or repository lies in `prefix`: a host, or a host and path. */
function isWithin(reference: string, prefix: string): boolean {
  if (!reference.startsWith(prefix)) return false;
  const next = reference[prefix.length];
  // After a bare host, `:` begins a port: another registry.
  return next === undefined || next === '/' || (prefix.includes('/') && /[:@]/.test(next));
}

/** Host and port of a reference, such as `quay.io` or `127.0.0.1:5000`. */
export function hostOf(reference: string): string {
  const first = reference.split('/', 1)[0] as string;
  return reference.includes('/') && /[.:]|^localhost$/.test(first) ? first : 'docker.io';
}

/** Whether a registry is spoken to by plain HTTP or with an unknown certificate: as configured, else on loopback. */
export function isInsecure(reference: string, configuration: ReachConfiguration): boolean {
  const host = hostOf(reference);
  const told = configuration.registries[host]?.insecure;
  if (told !== undefined) return told;
  if (/^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/.test(host)) return true;
  return Object.values(configuration.remotes).some(
    (remote) =>
      remote.insecure && [remote.push, remote.pull ?? remote.push].map(hostOf).includes(host),
  );
}

/** The authfile for a reference: of the remote that it lies in, else of base images; undefined: the user's own. */
export function authfileFor(
  reference: string,
  configuration: ReachConfiguration,
): string | undefined {
  const remote = Object.values(configuration.remotes)
    .filter(({ push }) => isWithin(reference, push))
    .sort((a, b) => b.push.length - a.push.length)[0];
  return remote?.authfile ?? configuration.authfile;
}

/** The pull secret for a reference: of the remote that it lies in, else of the default (or only) remote. */
export function pullSecretFor(
  reference: string,
  configuration: ReachConfiguration,
): string | undefined {
  const remotes = Object.values(configuration.remotes);
  const remote =
    remotes.find((candidate) =>
      [candidate.pull ?? candidate.push, candidate.push].some((place) =>
        isWithin(reference, place),
      ),
    ) ??
    remotes.find((candidate) => candidate.default) ??
    (remotes.length === 1 ? remotes[0] : undefined);
  return remote?.['pull-secret'];
}

/** containers-registries.conf(5) of the registries that are spoken to by plain HTTP under their own names. */
export function insecureRegistriesConf(configuration: ReachConfiguration): string {
  const { mirrors, registries, remotes } = configuration;
  const places = Object.values(remotes).flatMap(({ push, pull = push }) => [push, pull]);
  const hosts = new Set([...Object.keys(registries), ...places.map(hostOf)]);
  return [...hosts]
    .filter((host) => !(host in mirrors) && isInsecure(`${host}/`, configuration))
    .map((host) => `[[registry]]\nlocation = ${JSON.stringify(host)}\ninsecure = true\n`)
    .join('\n');
}

/** containers-registries.conf(5) that keeps names and goes to the mirrors instead; '' where there are none. */
export function registriesConf(configuration: ReachConfiguration): string {
  return Object.entries(configuration.mirrors)
    .map(([prefix, location]) =>
      [
        '[[registry]]',
        `prefix = ${JSON.stringify(prefix)}`,
        `location = ${JSON.stringify(location)}`,
        `insecure = ${isInsecure(`${location}/`, configuration)}`,
        '',
      ].join('\n'),
    )
    .join('\n');
}
