import type { RefReading } from '../builds/build.ts';
import { demand, type Failure, FailureError } from '../builds/failure.ts';
import type { Base, PinnedSource } from '../plan/lock.ts';
import type { CommitSha } from '../plan/names.ts';
import type { Wish } from '../request/parse-request.ts';
import { type Ref, renderRef } from '../request/ref.ts';
import { describeFound, findBase } from './find-base.ts';
import { type FoundRef, findRef } from './find-ref.ts';
import type { Forges } from './forge.ts';
import type { GitServers, Mirror, Mirrors } from './git-interface.ts';

/** What refs are resolved with. */
export interface Outside {
  readonly servers: GitServers;
  readonly mirrors: Mirrors;
  readonly forges: Forges;
  /** Git hosts that refs may name. */
  readonly hosts: ReadonlySet<string>;
}

/** The repository that a ref is meant for, and where a release stands in it. */
export interface Target {
  /** `tektoncd/pipeline`, or `the product`. */
  readonly title: string;
  readonly url: string;
  readonly release: string;
  /** What the product pins today. */
  readonly pinned: CommitSha;
  /** Branch that the release tracks. */
  readonly tracked: string;
  /** Branches that any release tracks. */
  readonly allTracked: readonly string[];
}

/** A ref as it goes into the lock, and as it is told to people. */
export interface Resolved {
  readonly source: PinnedSource;
  readonly reading: RefReading;
}

/** Asks the outside what a wish means. Throws FailureError where it cannot be had. */
export async function resolveRef(wish: Wish, target: Target, outside: Outside): Promise<Resolved> {
  const { host } = wish.ref.repository;
  if (!outside.hosts.has(host)) throw new FailureError(hostNotAllowed(wish, host, outside.hosts));
  const found = demand(await findRef(wish.ref, outside.servers));
  const as = wish.as === 'auto' && !isPullRequest(wish.ref) ? 'head' : wish.as;
  if (as === 'head') return resolveHead(wish, found, target, outside);
  return resolveChange(wish, as, found, target, outside);
}

function isPullRequest(ref: Ref): boolean {
  return ref.kind === 'pull-request' && ref.part === 'auto';
}

async function resolveHead(
  wish: Wish,
  found: FoundRef,
  target: Target,
  outside: Outside,
): Promise<Resolved> {
  if (found.url !== target.url) await demandSharedHistory(wish, found, target, outside);
  const { url, name: ref, commit } = found;
  return {
    source: { kind: 'head', url, ref, commit },
    reading: {
      ref: wish.text,
      as: 'head',
      commit,
      url,
      why: sentences(whyHead(wish, found), found.note),
    },
  };
}

/** A stranger's repository under a component's name is nearly always a mistake, and would fail late. */
async function demandSharedHistory(
  wish: Wish,
  found: FoundRef,
  target: Target,
  { mirrors }: Outside,
): Promise<void> {
  const mirror = await mirrors.mirror(target.url);
  await mirror.fetch(target.url, [target.pinned]);
  await mirror.fetch(found.url, [found.commit]);
  if ((await mirror.mergeBase(found.commit, target.pinned)) !== undefined) return;
  throw new FailureError(unrelated(wish, found, target));
}

async function resolveChange(
  wish: Wish,
  as: 'auto' | 'merge' | 'pick',
  found: FoundRef,
  target: Target,
  outside: Outside,
): Promise<Resolved> {
  const mirror = await outside.mirrors.mirror(target.url);
  await mirror.fetch(found.url, [found.commit]);
  const base = await findBaseOf(wish, found, target, outside, mirror);
  const mergeBase = await mirror.mergeBase(found.commit, base.commit);
  if (mergeBase === undefined) throw new FailureError(unrelated(wish, found, target));
  const tracked = base.branch === target.tracked;
  const change = { wish, found, target, base, mergeBase, asked: as };
  return as === 'merge' || (as === 'auto' && tracked)
    ? describeMerge(change)
    : resolvePick(change, mirror);
}

async function findBaseOf(
  wish: Wish,
  found: FoundRef,
  target: Target,
  { servers, forges }: Outside,
  mirror: Mirror,
): Promise<Base> {
  const { ref, base: asked } = wish;
  const forge = forges.get(ref.repository.host);
  const told =
    asked === undefined && ref.kind === 'pull-request'
      ? (await forge?.pullRequest(ref.repository, ref.number))?.base
      : undefined;
  const advertised = await servers.advertisement(target.url);
  const { url, tracked, allTracked } = target;
  const question = { url, advertised, head: found.commit, asked, told };
  return demand(await findBase({ ...question, tracked: [tracked, ...allTracked] }, mirror));
}

interface Change {
  readonly wish: Wish;
  readonly found: FoundRef;
  readonly target: Target;
  readonly base: Base;
  readonly mergeBase: CommitSha;
  readonly asked: 'auto' | 'merge' | 'pick';
}

function describeMerge({ wish, found, target, base, mergeBase, asked }: Change): Resolved {
  const { url, name: ref, commit } = found;
  const what = isPullRequest(wish.ref) ? 'the pull request' : 'it';
  const reason =
    asked === 'merge'
      ? `The request asks for a merge; the base is ${base.branch}: ${describeFound(base.found)}`
      : `${capital(what)} is meant for ${base.branch} (${describeFound(base.found)}), which is what ${target.release} tracks: ${what} is merged into it as both stand now`;
  const trivial =
    mergeBase === commit
      ? `${base.branch} holds ${what} already and is built as it stands`
      : mergeBase === base.commit
        ? `${base.branch} has nothing that ${what} has not, so the head is the merge`
        : undefined;
  return {
    source: { kind: 'merge', url, ref, commit, baseUrl: target.url, base },
    reading: {
      ref: wish.text,
      as: 'merge',
      commit,
      url,
      base: { branch: base.branch, commit: base.commit, found: describeFound(base.found) },
      why: sentences(reason, trivial, found.note),
    },
  };
}

async function resolvePick(change: Change, mirror: Mirror): Promise<Resolved> {
  const { wish, found, target, base, asked } = change;
  const { url, name: ref, commit } = found;
  await mirror.fetch(target.url, [target.pinned]);
  const mergeBase = await ownCommitsBegin(change, mirror);
  const what = found.kind === 'commit' ? 'this commit' : 'its own commits';
  const reason =
    asked === 'pick'
      ? `The request asks for a pick: only ${what} go${what.startsWith('this') ? 'es' : ''} on top of ${short(target.pinned)}, which the product pins`
      : `The pull request is meant for ${base.branch} (${describeFound(base.found)}), but ${target.release} tracks ${target.tracked}: only its own commits go on top of ${short(target.pinned)}, which the product pins`;
  const held = (await mirror.mergeBase(commit, target.pinned)) === commit;
  const trivial = held ? 'What the product pins holds it already and is built as it is' : undefined;
  const onto = target.pinned;
  return {
    source: { kind: 'pick', url, ref, commit, baseUrl: target.url, base, mergeBase, onto },
    reading: {
      ref: wish.text,
      as: 'pick',
      commit,
      url,
      base: { branch: base.branch, commit: base.commit, found: describeFound(base.found) },
      why: sentences(reason, trivial, found.note),
    },
  };
}

/** The commit after which the own commits of a head begin. */
async function ownCommitsBegin(change: Change, mirror: Mirror): Promise<CommitSha> {
  const { found, base, mergeBase, target } = change;
  if (found.kind === 'commit') {
    const parent = await mirror.firstParent(found.commit);
    if (parent !== undefined) return parent;
    throw new FailureError(nothingToPick(change, 'it is the first commit of its repository'));
  }
  if (mergeBase !== found.commit) return mergeBase;
  // The base holds the head already. A merge commit tells where it began; a fast-forward does not.
  const merge = await mirror.mergeOf(found.commit, base.commit);
  const before = merge === undefined ? undefined : await mirror.firstParent(merge);
  const begin = before === undefined ? undefined : await mirror.mergeBase(before, found.commit);
  if (begin !== undefined && begin !== found.commit) return begin;
  // It does not matter where nothing has to be picked.
  if ((await mirror.mergeBase(found.commit, target.pinned)) === found.commit) return found.commit;
  throw new FailureError(nothingToPick(change, `${base.branch} holds it without a merge commit`));
}

function whyHead(wish: Wish, found: FoundRef): string {
  if (wish.as === 'head') return 'The request asks for the head alone';
  const { ref } = wish;
  if (ref.kind === 'pull-request') {
    return ref.part === 'merge'
      ? "The ref names the forge's own test merge, which is built as it is"
      : 'The ref names the head of the pull request, which is built alone, without its base';
  }
  const what = found.kind === 'full-ref' ? 'ref' : found.kind;
  return `A ${what} is built as it is, unless the request says merge or pick`;
}

function hostNotAllowed(wish: Wish, host: string, hosts: ReadonlySet<string>): Failure {
  return {
    reason: 'host-not-allowed',
    detail: `${renderRef(wish.ref)}: code from ${host} is not accepted here.`,
    hint: `Accepted hosts: ${[...hosts].sort().join(', ')}. The operator of this service can add one (\`hosts\` in the configuration).`,
  };
}

function unrelated(wish: Wish, found: FoundRef, target: Target): Failure {
  return {
    reason: 'unrelated-repository',
    detail: `${renderRef(wish.ref)}: ${found.url} shares no history with ${target.title} (${target.url}).`,
    hint: 'Check that the ref stands under the right component: it has to be of the component itself or of a fork of it.',
  };
}

function nothingToPick({ wish, base }: Change, why: string): Failure {
  return {
    reason: 'bad-ref',
    detail: `${renderRef(wish.ref)}: its own commits cannot be told: ${why}.`,
    hint: `Name one commit (owner/repo@SHA) with "as": "pick", or build ${base.branch} with "as": "merge".`,
  };
}

function sentences(...parts: readonly (string | undefined)[]): string {
  const present = parts.filter((part) => part !== undefined);
  return present.map((part) => `${capital(part.replace(/\.$/, ''))}.`).join(' ');
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function short(commit: CommitSha): string {
  return commit.slice(0, 12);
}
