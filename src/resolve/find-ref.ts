import type { Failure, Outcome } from '../builds/failure.ts';
import { failed, ok, unreachable } from '../builds/result.ts';
import type { CommitSha } from '../plan/names.ts';
import { didYouMean } from '../request/nearest.ts';
import { pullRefName, type Ref, renderRef } from '../request/ref.ts';
import type { Advertisement, GitServers } from './git-interface.ts';

/** A ref that the server knows. */
export interface FoundRef {
  readonly kind: 'pull-request' | 'branch' | 'tag' | 'commit' | 'full-ref';
  readonly url: string;
  /** Full ref name, or the commit itself where that is all that was named. */
  readonly name: string;
  readonly commit: CommitSha;
  /** What the person should know about how the name was read. */
  readonly note?: string;
}

/** Asks the server what a ref names. Throws FailureError where the server does not answer. */
export async function findRef(ref: Ref, servers: GitServers): Promise<Outcome<FoundRef>> {
  const { url } = ref.repository;
  if (ref.kind === 'commit') return findCommit(ref, await servers.commit(url, ref.sha));
  return lookUp(ref, await servers.advertisement(url));
}

type NamedRef = Exclude<Ref, { kind: 'commit' }>;

function lookUp(ref: NamedRef, advertised: Advertisement): Outcome<FoundRef> {
  switch (ref.kind) {
    case 'default-branch':
      return findDefaultBranch(ref, advertised);
    case 'pull-request':
      return findPullRequest(ref, advertised);
    case 'branch':
    case 'tag':
      return (
        find(ref, ref.kind, fullName(ref.kind, ref.name), advertised) ??
        noSuchName(ref, ref.name, advertised)
      );
    case 'name':
      return findName(ref, advertised);
    case 'abbreviation':
      return findAbbreviation(ref, ref.prefix, advertised);
    case 'full-ref':
      return find(ref, 'full-ref', ref.name, advertised) ?? noSuchName(ref, ref.name, advertised);
    default:
      return unreachable(ref);
  }
}

function findCommit(
  ref: Ref & { kind: 'commit' },
  commit: CommitSha | undefined,
): Outcome<FoundRef> {
  if (commit !== undefined)
    return ok({ kind: 'commit', url: ref.repository.url, name: ref.sha, commit });
  return notFound(
    ref,
    'no such commit',
    'Check the 40 digits, and that the commit was pushed to this repository or its forks.',
  );
}

function findDefaultBranch(ref: NamedRef, advertised: Advertisement): Outcome<FoundRef> {
  const branch = advertised.defaultBranch;
  const found = branch && find(ref, 'branch', fullName('branch', branch), advertised);
  if (found) return found;
  return notFound(
    ref,
    'its default branch cannot be told',
    `Name a branch: ${example(ref, advertised)}.`,
  );
}

function findPullRequest(
  ref: Extract<Ref, { kind: 'pull-request' }>,
  advertised: Advertisement,
): Outcome<FoundRef> {
  const name = pullRefName(ref);
  const found = find(ref, 'pull-request', name, advertised);
  if (found) return found;
  const head = pullRefName({ ...ref, part: 'head' });
  if (ref.part === 'merge' && advertised.refs.has(head)) {
    const instead = renderRef({ ...ref, part: 'auto' });
    return notFound(
      ref,
      'the forge has no test merge of it',
      `It is closed, or conflicts with its base. Write ${instead}: then we merge it.`,
    );
  }
  const branch = fullName('branch', String(ref.number));
  if (advertised.refs.has(branch)) {
    const instead = renderRef({
      kind: 'branch',
      repository: ref.repository,
      name: String(ref.number),
    });
    return notFound(ref, 'no such pull request', `There is a branch of that name: ${instead}.`);
  }
  return notFound(
    ref,
    'no such pull request',
    `Check the number, or name a branch: ${example(ref, advertised)}.`,
  );
}

/** A branch comes before a tag, and both before an abbreviated commit. */
function findName(ref: Ref & { kind: 'name' }, advertised: Advertisement): Outcome<FoundRef> {
  const branch = find(ref, 'branch', fullName('branch', ref.name), advertised);
  const tag = find(ref, 'tag', fullName('tag', ref.name), advertised);
  if (branch?.ok && tag?.ok && branch.value.commit !== tag.value.commit) {
    const other = renderRef({ kind: 'tag', repository: ref.repository, name: ref.name });
    return ok({
      ...branch.value,
      note: `There is also a tag of this name (${other}); the branch counts.`,
    });
  }
  const found = branch ?? tag;
  if (found) return found;
  if (/^[0-9a-f]{4,39}$/i.test(ref.name))
    return findAbbreviation(ref, ref.name.toLowerCase(), advertised);
  return noSuchName(ref, ref.name, advertised);
}

function findAbbreviation(
  ref: NamedRef,
  prefix: string,
  advertised: Advertisement,
): Outcome<FoundRef> {
  const all = [...new Set(advertised.refs.values())].filter((commit) => commit.startsWith(prefix));
  const [commit, ...others] = all;
  if (commit === undefined) {
    return notFound(
      ref,
      'no branch, tag or pull request ends at such a commit',
      'Only those can be found by an abbreviation: write all 40 digits of the commit.',
    );
  }
  if (others.length === 0)
    return ok({ kind: 'commit', url: ref.repository.url, name: commit, commit });
  return failed({
    reason: 'ambiguous-commit',
    detail: `${renderRef(ref)}: ${all.length} commits begin with ${prefix}.`,
    hint: `Write more digits of one of them: ${all.slice(0, 3).join(', ')}.`,
    about: { commits: all.slice(0, 20) },
  });
}

function find(
  ref: Ref,
  kind: FoundRef['kind'],
  name: string,
  advertised: Advertisement,
): (Outcome<FoundRef> & { ok: true }) | undefined {
  const commit = advertised.refs.get(name);
  return commit === undefined ? undefined : ok({ kind, url: ref.repository.url, name, commit });
}

function noSuchName(ref: Ref, name: string, advertised: Advertisement): Outcome<FoundRef> {
  const names = [...advertised.refs.keys()].flatMap(
    (full) => /^refs\/(?:heads|tags)\/(.+)$/.exec(full)?.[1] ?? [],
  );
  const what = ref.kind === 'branch' || ref.kind === 'tag' ? ref.kind : 'branch or tag';
  const hint =
    didYouMean(name, names) ?? `Name one that exists, such as ${example(ref, advertised)}.`;
  return notFound(ref, ref.kind === 'full-ref' ? 'no such ref' : `no such ${what}`, hint);
}

function example(ref: Ref, advertised: Advertisement): string {
  const first = [...advertised.refs.keys()].find((name) => name.startsWith('refs/heads/'));
  const name = advertised.defaultBranch ?? first?.slice('refs/heads/'.length) ?? 'main';
  return renderRef({ kind: 'name', repository: ref.repository, name });
}

function notFound(ref: Ref, what: string, hint: string): Outcome<never> {
  const failure: Failure = { reason: 'ref-not-found', detail: `${renderRef(ref)}: ${what}.`, hint };
  return failed(failure);
}

/** `refs/heads/NAME` or `refs/tags/NAME`. */
export function fullName(kind: 'branch' | 'tag', name: string): string {
  return `refs/${kind === 'branch' ? 'heads' : 'tags'}/${name}`;
}
