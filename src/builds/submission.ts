import type { Build, NewBuild } from './build.ts';
import { mayPass } from './failure.ts';
import { isFinished } from './fold.ts';

/** What an engine already has when a build is asked for. */
export interface Existing {
  readonly lockDigest: NewBuild['lockDigest'];
  readonly build: Pick<Build, 'tag' | 'state' | 'failure'>;
}

/** What to do with a request for a build; see `Submission` for what each means to the caller. */
export type SubmissionDecision = 'create' | 'known' | 'restart' | 'taken';

/**
 * Asked once, answered truly: whether a request creates a build, meets the one that exists, starts
 * its next attempt, or has to look for another tag. `sameRun` is what has the same pipelinerun name.
 */
export function decideSubmission(
  asked: Pick<NewBuild, 'tag' | 'lockDigest' | 'rebuild'>,
  sameTag: Existing | undefined,
  sameRun: Existing | undefined,
): SubmissionDecision {
  if (sameTag === undefined) return sameRun === undefined ? 'create' : 'taken';
  if (sameTag.lockDigest !== asked.lockDigest) return 'taken';
  const { state, failure } = sameTag.build;
  if (!isFinished(state)) return 'known';
  if (asked.rebuild || state === 'cancelled' || state === 'expired') return 'restart';
  return failure !== null && mayPass(failure) ? 'restart' : 'known';
}
