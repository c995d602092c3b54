/**
 * Where code is, the same value for every spelling. `url` is what git fetches from: no `.git`,
 * because every smart server finds the repository without it and then there is one spelling.
 */
export interface Repository {
  /** Lower case, with a port where it is not the scheme's own: `github.com`, `127.0.0.1:8081`. */
  readonly host: string;
  /** `owner/repo`, or more segments where the host has nested groups. */
  readonly path: string;
  readonly url: string;
}

/** The repository at a host that was cleaned before; `path` without `.git`. */
export function repositoryAt(scheme: 'http' | 'https', host: string, path: string): Repository {
  const known = forgeOf(host) !== undefined;
  const place = known ? path.toLowerCase() : path;
  return { host, path: place, url: `${known ? 'https' : scheme}://${host}/${place}` };
}

type Forge = 'github' | 'gitlab' | 'gitea';

/** Public forges: HTTPS only, names without regard to case. */
const forges: ReadonlyMap<string, Forge> = new Map([
  ['github.com', 'github'],
  ['gitlab.com', 'gitlab'],
  ['codeberg.org', 'gitea'],
  ['gitea.com', 'gitea'],
]);

/** What a public host runs; undefined for any other host. */
export function forgeOf(host: string): Forge | undefined {
  return forges.get(host);
}

/** Whether a path can be a repository's at GitHub: what a ref without a host may begin with. */
export function isGithubPath(path: string): boolean {
  return /^[A-Za-z0-9_][-\w.]*\/(?!\.+$)[\w.][-\w.]*$/.test(path);
}

/** Where a host keeps its pull requests: `refs/pull/` or, on GitLab, `refs/merge-requests/`. */
export type PullSpace = 'pull' | 'merge-requests';

/** The {@link PullSpace} of a host as far as its name tells (`gitlab.example.com`). */
export function pullSpaceOf(host: string): PullSpace {
  return forgeOf(host) === 'gitlab' || /(^|[.-])gitlab[.-]/.test(host) ? 'merge-requests' : 'pull';
}
