import type { Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import type { Base, BaseFound } from '../plan/lock.ts';
import type { CommitSha } from '../plan/names.ts';
import { didYouMean } from '../request/nearest.ts';
import { fullName } from './find-ref.ts';
import type { Advertisement, Mirror } from './git-interface.ts';

/** What is asked: on which branch of the repository was this head meant to go? */
export interface BaseQuestion {
  /** The repository that holds the base. */
  readonly url: string;
  readonly advertised: Advertisement;
  readonly head: CommitSha;
  /** What the request says. */
  readonly asked: string | undefined;
  /** What the forge says. */
  readonly told: string | undefined;
  /** Branches that releases track. */
  readonly tracked: readonly string[];
}

/**
 * The base branch of a head, which git does not know: what the request says, else what the forge
 * says, else the branch that has most of its history. The head must be in the mirror.
 */
export async function findBase(question: BaseQuestion, mirror: Mirror): Promise<Outcome<Base>> {
  const { advertised, asked, told } = question;
  if (asked !== undefined) {
    const commit = advertised.refs.get(fullName('branch', asked));
    if (commit === undefined) return noSuchBranch(question, asked);
    await mirror.fetch(question.url, [commit]);
    return ok({ branch: asked, commit, found: 'request' });
  }
  const commit = told === undefined ? undefined : advertised.refs.get(fullName('branch', told));
  if (told !== undefined && commit !== undefined) {
    await mirror.fetch(question.url, [commit]);
    return ok({ branch: told, commit, found: 'forge' });
  }
  return nearestBranch(question, mirror);
}

async function nearestBranch(question: BaseQuestion, mirror: Mirror): Promise<Outcome<Base>> {
  const candidates = candidateBranches(question);
  await mirror.fetch(
    question.url,
    candidates.map(({ commit }) => commit),
  );
  const measured: { branch: string; commit: CommitSha; ahead: number }[] = [];
  for (const candidate of candidates) {
    if ((await mirror.mergeBase(question.head, candidate.commit)) === undefined) continue;
    measured.push({
      ...candidate,
      ahead: await mirror.countAhead(question.head, candidate.commit),
    });
  }
  const least = Math.min(...measured.map(({ ahead }) => ahead));
  const nearest = measured.filter(({ ahead }) => ahead === least);
  // Candidates begin with the default branch, then those that releases track.
  const [first] = nearest;
  if (first === undefined) return unrelated(question);
  const { branch, commit } = first;
  return ok({ branch, commit, found: foundBy(candidates.length, nearest.length) });
}

function foundBy(candidates: number, nearest: number): BaseFound {
  if (candidates === 1) return 'only-candidate';
  return nearest === 1 ? 'nearest' : 'tie-default-branch';
}

function candidateBranches({ advertised, tracked }: BaseQuestion) {
  const heads = [...advertised.refs.keys()].flatMap(
    (name) => /^refs\/heads\/(.+)$/.exec(name)?.[1] ?? [],
  );
  const releases = heads.filter((name) => /^release[-/]/.test(name)).sort();
  const first = advertised.defaultBranch === undefined ? [] : [advertised.defaultBranch];
  return [...new Set([...first, ...tracked, ...releases])].flatMap((branch) => {
    const commit = advertised.refs.get(fullName('branch', branch));
    return commit === undefined ? [] : [{ branch, commit }];
  });
}

function noSuchBranch({ url, advertised }: BaseQuestion, asked: string): Outcome<never> {
  const heads = [...advertised.refs.keys()].flatMap(
    (name) => /^refs\/heads\/(.+)$/.exec(name)?.[1] ?? [],
  );
  return failed({
    reason: 'ref-not-found',
    detail: `${url} has no branch ${asked}, which the request gives as the base.`,
    hint:
      didYouMean(asked, heads) ??
      'Leave `base` out to have it found, or name a branch that exists.',
  });
}

function unrelated({ url, head }: BaseQuestion): Outcome<never> {
  return failed({
    reason: 'unrelated-repository',
    detail: `The commit ${head} shares no history with the branches of ${url}.`,
    hint: 'Check that the ref belongs to this component or to a fork of it; with `as: head` and its own history it could be no change of it either.',
  });
}

/** How a base was found, for people. */
export function describeFound(found: BaseFound): string {
  return foundTexts[found];
}

const foundTexts: Readonly<Record<BaseFound, string>> = {
  request: 'the request says so',
  forge: 'the forge says so',
  'only-candidate': 'there is no other branch that it could be',
  nearest: 'no other branch holds more of its history',
  'tie-default-branch':
    'several branches hold as much of its history, and of those the default branch counts',
};
