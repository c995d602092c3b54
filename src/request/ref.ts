import type { Failure, Outcome } from '../builds/failure.ts';
import { failed, ok, unreachable } from '../builds/result.ts';
import { type CommitSha, parseCommitSha } from '../plan/names.ts';
import { type Address, type Reading, readAddress } from './address.ts';
import { invisible, quote } from './quote.ts';
import { type Pointer, readPage } from './read-page.ts';
import { refNameProblem } from './ref-name.ts';
import {
  isGithubPath,
  type PullSpace,
  pullSpaceOf,
  type Repository,
  repositoryAt,
} from './repository.ts';
import { suggestRef } from './suggest-ref.ts';

interface In {
  readonly repository: Repository;
}

/**
 * Code as a person names it, before the git server was asked. One source is one value, however it
 * was spelled; where git alone can tell what a name is, the kind says so (`name`, `abbreviation`).
 */
export type Ref =
  | (In & { readonly kind: 'default-branch' })
  /** `auto`: the head as `as` says; `head`: the head alone; `merge`: the forge's own test merge, as it is. */
  | (In & {
      readonly kind: 'pull-request';
      readonly number: number;
      readonly part: 'auto' | 'head' | 'merge';
      readonly space: PullSpace;
    })
  | (In & { readonly kind: 'branch' | 'tag'; readonly name: string })
  /** A branch, a tag or an abbreviated commit. */
  | (In & { readonly kind: 'name'; readonly name: string })
  | (In & { readonly kind: 'commit'; readonly sha: CommitSha })
  /** 4 to 39 hex digits that are a commit for sure. */
  | (In & { readonly kind: 'abbreviation'; readonly prefix: string })
  /** A full ref of none of the kinds above: `refs/changes/34/1234/5`. */
  | (In & { readonly kind: 'full-ref'; readonly name: string });

/**
 * Reads a ref in any spelling of docs/reference/refs.md. Every failure is `bad-ref`, and its hint
 * shows the nearest form that can be read; `component` (`owner/repo`) completes `#4638` in hints.
 */
export function parseRef(text: string, component?: string): Outcome<Ref> {
  const reading = readRef(text);
  if (reading.ok) return reading;
  const [{ detail, hint }] = reading.failures;
  const failure: Failure = {
    reason: 'bad-ref',
    detail: `${quote(withoutSecret(text))} is no ref: ${detail}.`,
    hint: hint ?? suggestRef(text, component, canonical),
  };
  return failed(failure);
}

/** The shortest text that parses to the same ref. */
export function renderRef(ref: Ref): string {
  const { host, path, url } = ref.repository;
  const short = host === 'github.com';
  const after = (text: string) =>
    short ? `${path}#${text}` : `${url}.git#${text.replaceAll('%', '%25')}`;
  const page = (text: string) => (short ? `${url}/${text}` : `${url}/-/${text}`);
  switch (ref.kind) {
    case 'default-branch':
      return short ? path : `${url}.git`;
    case 'pull-request':
      return renderPullRequest(ref, after);
    case 'branch':
      return after(`refs/heads/${ref.name}`);
    case 'tag':
      return after(`refs/tags/${ref.name}`);
    case 'name':
      if (!isDigits(ref.name)) return after(ref.name);
      return short ? `${path}@${ref.name}` : page(`tree/${ref.name}`);
    case 'commit':
      return short ? `${path}@${ref.sha}` : after(ref.sha);
    case 'abbreviation':
      return page(`commit/${ref.prefix}`);
    case 'full-ref':
      return after(ref.name);
    default:
      return unreachable(ref);
  }
}

function renderPullRequest(
  ref: Extract<Ref, { kind: 'pull-request' }>,
  after: (text: string) => string,
): string {
  const usual = ref.space === pullSpaceOf(ref.repository.host);
  if (!usual && ref.part === 'auto') {
    const page = ref.space === 'pull' ? 'pull' : 'merge_requests';
    return `${ref.repository.url}/-/${page}/${ref.number}`;
  }
  if (!usual) return after(`refs/${ref.space}/${ref.number}/${ref.part}`);
  return after(ref.part === 'auto' ? `${ref.number}` : `pull/${ref.number}/${ref.part}`);
}

/** The full name under which a forge keeps the head (or its test merge) of a pull request. */
export function pullRefName(ref: Extract<Ref, { kind: 'pull-request' }>): string {
  return `refs/${ref.space}/${ref.number}/${ref.part === 'merge' ? 'merge' : 'head'}`;
}

/** The repository that a git URL names (`url` of upstream_sources.yaml, product.yaml); no ref may follow. */
export function parseRepository(text: string): Outcome<Repository> {
  const parsed = parseRef(text);
  if (!parsed.ok || parsed.value.kind === 'default-branch') {
    return parsed.ok ? ok(parsed.value.repository) : parsed;
  }
  return failed({
    reason: 'bad-ref',
    detail: `${quote(text)} names more than a repository.`,
    hint: `Write ${parsed.value.repository.url}`,
  });
}

function canonical(text: string): string | undefined {
  const reading = readRef(text);
  return reading.ok ? renderRef(reading.value) : undefined;
}

/** Longest text that is looked at: far above any real ref. */
const longest = 500;

function readRef(text: string): Reading<Ref> {
  const problem = textProblem(text);
  if (problem !== undefined) return failed({ detail: problem });
  const address = readAddress(text);
  if (address === undefined) return readShorthand(text);
  return address.ok ? readUrl(address.value) : address;
}

function textProblem(text: string): string | undefined {
  if (text === '') return 'it is empty';
  if (text.length > longest) return `it is longer than ${longest} characters`;
  if (/\s/u.test(text)) return 'it contains white space';
  if (text.search(invisible) >= 0) return 'it contains a control or invisible character';
  if (text.startsWith('-')) return 'it begins with "-", like an option of a command';
  if (text.includes('\\')) return 'it contains "\\"';
  return undefined;
}

/** `owner/repo`, `owner/repo#…`, `owner/repo@…`, on GitHub. */
function readShorthand(text: string): Reading<Ref> {
  const match = /^([^/#@]*)\/([^/#@]*)(?:([#@])(.*))?$/.exec(text);
  if (match === null) return failed({ detail: 'it is neither owner/repo#… nor a URL' });
  const [, owner = '', repo = '', separator, rest = ''] = match;
  const name = repo.replace(/(\.git)+$/, '');
  if (!isGithubPath(`${owner}/${name}`)) return failed({ detail: 'its owner/repo is not valid' });
  const repository = repositoryAt('https', 'github.com', `${owner}/${name}`);
  if (separator === undefined) return ok({ kind: 'default-branch', repository });
  return readName(rest, repository, separator === '#');
}

function readUrl(address: Address): Reading<Ref> {
  const decoded = textProblem([...address.segments, address.fragment ?? ''].join('/'));
  if (decoded !== undefined) return failed({ detail: decoded });
  const page = readPage(address);
  if (!page.ok) return page;
  const { path, pointer } = page.value;
  const repository = repositoryAt(address.scheme, address.host, path);
  if (pointer.kind !== 'repository') return readPointer(pointer, repository);
  if (address.fragment === undefined) return ok({ kind: 'default-branch', repository });
  return readName(address.fragment, repository, true);
}

function readPointer(
  pointer: Exclude<Pointer, { kind: 'repository' }>,
  repository: Repository,
): Reading<Ref> {
  switch (pointer.kind) {
    case 'pull-request': {
      const space = pointer.mergeRequest ? 'merge-requests' : pullSpaceOf(repository.host);
      return pullRequest(pointer.number, 'auto', space, repository);
    }
    case 'name':
      return readName(pointer.name, repository, false);
    case 'branch':
    case 'tag':
      return named(pointer.kind, pointer.name, repository);
    case 'commit':
      return commit(pointer.name, repository);
    default:
      return unreachable(pointer);
  }
}

/** What follows `#` or `@`; bare digits are a pull request only after `#`. */
function readName(text: string, repository: Repository, digitsArePull: boolean): Reading<Ref> {
  const digits = digitsArePull && isDigits(text);
  if (digits) return pullRequest(text, 'auto', pullSpaceOf(repository.host), repository);
  const [, full, space, number, part] =
    /^(refs\/)?(pull|merge-requests)\/([^/]*)(?:\/(.*))?$/.exec(text) ?? [];
  if (number === undefined) return readPlainName(text, repository);
  // A full ref is taken at its word; a short one means what the host calls a pull request.
  const explicit = full !== undefined || space === 'merge-requests';
  const where = explicit ? (space as PullSpace) : pullSpaceOf(repository.host);
  return readPart(part ?? (full === undefined ? 'auto' : undefined), number, where, repository);
}

function readPlainName(text: string, repository: Repository): Reading<Ref> {
  if (text === 'HEAD') return ok({ kind: 'default-branch', repository });
  const sha = parseCommitSha(text.toLowerCase());
  if (sha !== undefined) return ok({ kind: 'commit', repository, sha });
  const [, kind, name] = /^refs\/(heads|tags)\/(.*)$/.exec(text) ?? [];
  if (name !== undefined) return named(kind === 'heads' ? 'branch' : 'tag', name, repository);
  return named(text.startsWith('refs/') ? 'full-ref' : 'name', text, repository);
}

function readPart(
  part: string | undefined,
  number: string,
  space: PullSpace,
  repository: Repository,
): Reading<Ref> {
  if (part === 'auto' || part === 'head' || part === 'merge') {
    return pullRequest(number, part, space, repository);
  }
  return failed({
    detail: 'of a pull request there are only "/head" and "/merge"',
    hint: `Write ${renderRef({ kind: 'pull-request', repository, number: Number.parseInt(number, 10) || 4638, part: 'head', space })}; a branch of that name is #refs/heads/…`,
  });
}

function pullRequest(
  number: string,
  part: 'auto' | 'head' | 'merge',
  space: PullSpace,
  repository: Repository,
): Reading<Ref> {
  if (/^[1-9]\d{0,8}$/.test(number)) {
    return ok({ kind: 'pull-request', repository, number: Number(number), part, space });
  }
  return failed({ detail: `${quote(number)} is no number of a pull request` });
}

function named(
  kind: 'branch' | 'tag' | 'name' | 'full-ref',
  name: string,
  repository: Repository,
): Reading<Ref> {
  const problem = refNameProblem(name);
  return problem === undefined ? ok({ kind, repository, name }) : failed({ detail: problem });
}

function commit(text: string, repository: Repository): Reading<Ref> {
  const lower = text.toLowerCase();
  const sha = parseCommitSha(lower);
  if (sha !== undefined) return ok({ kind: 'commit', repository, sha });
  if (/^[0-9a-f]{4,39}$/.test(lower))
    return ok({ kind: 'abbreviation', repository, prefix: lower });
  return failed({ detail: `${quote(text)} is no commit: that has 4 to 40 hex digits` });
}

function isDigits(text: string): boolean {
  return /^\d+$/.test(text);
}

/** A password must not come back in an answer or a log. */
function withoutSecret(text: string): string {
  return text.replace(/\/\/[^/?#]*@/, '//…@');
}
