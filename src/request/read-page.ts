import { failed, ok } from '../builds/result.ts';
import type { Address, Reading } from './address.ts';
import { quote } from './quote.ts';
import { forgeOf, isGithubPath } from './repository.ts';

/** What a page of a forge points at; texts are as written, not yet checked. */
export type Pointer =
  | { readonly kind: 'repository' }
  | { readonly kind: 'pull-request'; readonly number: string; readonly mergeRequest: boolean }
  | { readonly kind: 'branch' | 'tag' | 'name' | 'commit'; readonly name: string };

/** A repository's path and what the rest of the URL points at within it. */
export interface Page {
  readonly path: string;
  readonly pointer: Pointer;
}

/**
 * Reads the path of a URL as GitHub, GitLab and Gitea lay out their pages: which segments name the
 * repository, and what the page shows. Pages that show no code to build are refused by name.
 */
export function readPage(address: Address): Reading<Page> {
  const { repository, route } = split(address);
  const last = repository.at(-1)?.replace(/(\.git)+$/, '');
  const whole = forgeOf(address.host) === undefined || repository.length > 1;
  if (last === undefined || last === '' || !whole)
    return failed({ detail: 'it names no repository' });
  const segments = [...repository.slice(0, -1), last];
  // `.git` was taken off the last one: `...git` names the folder above. In the middle it would end the repository.
  const bad = segments.find(
    (segment, index) =>
      !/^[A-Za-z0-9_.~+][A-Za-z0-9_.~+-]*$/.test(segment) ||
      /^\.+$/.test(segment) ||
      (index > 0 && index < segments.length - 1 && segment.endsWith('.git')),
  );
  if (bad !== undefined) {
    return failed({ detail: `its repository path is not valid at ${quote(bad)}` });
  }
  const path = segments.join('/');
  if (address.host === 'github.com' && !isGithubPath(path))
    return failed({ detail: `${quote(path)} is no owner/repo of GitHub` });
  const pointer = readRoute(route, address, path);
  return pointer.ok ? ok({ path, pointer: pointer.value }) : pointer;
}

interface Split {
  readonly repository: readonly string[];
  readonly route: readonly string[];
}

function split({ host, segments }: Address): Split {
  const cut = (at: number, skip = 0): Split => ({
    repository: segments.slice(0, at),
    route: segments.slice(at + skip),
  });
  const forge = forgeOf(host);
  // Our own canonical text has GitLab's `-` on every other host.
  if (forge === 'github' || forge === 'gitea') return cut(2, segments[2] === '-' ? 1 : 0);
  const dash = segments.indexOf('-', 2);
  if (dash > 0) return cut(dash, 1);
  const git = segments.findIndex((segment, index) => segment.endsWith('.git') && index > 0);
  if (git === segments.length - 1) return cut(git + 1);
  const oldMergeRequest = segments.indexOf('merge_requests', 2);
  if (oldMergeRequest > 0) return cut(oldMergeRequest);
  if (forge === undefined && pages.has(segments[2] ?? '') && segments.length > 3) return cut(2);
  return git > 0 ? cut(git + 1) : cut(segments.length);
}

type Route = (rest: readonly string[], address: Address, path: string) => Reading<Pointer>;

const pages: ReadonlyMap<string, Route> = new Map<string, Route>([
  ['pull', (rest) => pullRequest(rest, false)],
  ['pulls', (rest) => pullRequest(rest, false)],
  ['merge_requests', (rest) => pullRequest(rest, true)],
  ['tree', (rest, address) => ok({ kind: treeKind(address.query), name: rest.join('/') })],
  ['commits', (rest, address) => ok({ kind: treeKind(address.query), name: rest.join('/') })],
  ['commit', (rest) => ok({ kind: 'commit', name: withoutSuffix(rest.join('/')) })],
  ['src', source],
  ['tags', (rest) => ok({ kind: 'tag', name: rest.join('/') })],
  [
    'releases',
    (rest) => ok({ kind: 'tag', name: (rest[0] === 'tag' ? rest.slice(1) : rest).join('/') }),
  ],
  ['blob', filePage],
  ['raw', filePage],
  ['blame', filePage],
  ['edit', filePage],
  ['compare', comparison],
  ['issues', issue],
]);

function readRoute(route: readonly string[], address: Address, path: string): Reading<Pointer> {
  const [word, ...rest] = route;
  if (word === undefined) return bareRepository(address, path);
  const page = pages.get(word);
  if (page !== undefined && rest.length > 0) return page(rest, address, path);
  return failed({
    detail: `the page "/${route.join('/')}" shows no pull request, branch, tag or commit`,
    hint: `Write the URL of one of those, or a ref such as ${example(address.host, path, '#main')}.`,
  });
}

/** Docker's newer query form would be lost silently, so it is refused; other queries mean nothing. */
function bareRepository({ query, host }: Address, path: string): Reading<Pointer> {
  const asked = new URLSearchParams(query);
  const key = ['ref', 'branch', 'tag', 'commit', 'checksum', 'subdir'].find((name) =>
    asked.has(name),
  );
  if (key === undefined) return ok({ kind: 'repository' });
  const meant = key === 'checksum' || key === 'subdir' ? '#main' : `#${asked.get(key)}`;
  return failed({
    detail: `"?${key}=" is not read here`,
    hint: `Name a branch, tag or commit after "#": ${example(host, path, meant)}`,
  });
}

function pullRequest(rest: readonly string[], mergeRequest: boolean): Reading<Pointer> {
  const [number = '', page, commit] = rest;
  if (page === 'commits' && commit !== undefined)
    return ok({ kind: 'commit', name: withoutSuffix(commit) });
  return ok({ kind: 'pull-request', number: withoutSuffix(number), mergeRequest });
}

/** GitLab says in the query which of two things of one name is meant. */
function treeKind(query: string): 'branch' | 'tag' | 'name' {
  const type = new URLSearchParams(query).get('ref_type');
  if (type === 'heads') return 'branch';
  return type === 'tags' ? 'tag' : 'name';
}

function source(rest: readonly string[], address: Address, path: string): Reading<Pointer> {
  const [kind, ...name] = rest;
  if (kind === 'branch' || kind === 'tag' || kind === 'commit')
    return ok({ kind, name: name.join('/') });
  return filePage(rest, address, path);
}

function filePage(rest: readonly string[], { host }: Address, path: string): Reading<Pointer> {
  return failed({
    detail: 'it is the page of a file, which does not tell where the name of the branch ends',
    hint: `Write the branch: ${example(host, path, `#${rest[0]}`)}`,
  });
}

function comparison(rest: readonly string[], { host }: Address, path: string): Reading<Pointer> {
  const head = rest.join('/').split('...').at(-1) ?? '';
  const [fork, branch] = head.includes(':') ? head.split(':') : [undefined, head];
  const place = fork === undefined ? path : [fork, ...path.split('/').slice(1)].join('/');
  return failed({
    detail: 'it is a comparison of two branches',
    hint: `Write the branch that is to be built: ${example(host, place, `#${branch}`)}`,
  });
}

function issue(rest: readonly string[], { host }: Address, path: string): Reading<Pointer> {
  return failed({
    detail: 'it is the page of an issue',
    hint: `If number ${rest[0]} is a pull request, write ${example(host, path, `#${rest[0]}`)}`,
  });
}

function withoutSuffix(text: string): string {
  return text.replace(/\.(patch|diff)$/, '');
}

function example(host: string, path: string, ref: string): string {
  return host === 'github.com' ? `${path}${ref}` : `https://${host}/${path}.git${ref}`;
}
