import type { BuildState } from '../builds/build.ts';
import type { Failure, Reason } from '../builds/failure.ts';
import { failed } from '../builds/result.ts';
import type { Tag } from '../plan/names.ts';

/** There is no such build. */
export function notFound(tag: Tag) {
  return refuse('build-not-found', `There is no build ${tag}.`, 'List them: `tributary list`.');
}

/** What is asked would change a build that is over. */
export function alreadyFinished(tag: Tag, state: BuildState) {
  return refuse(
    'already-finished',
    `The build ${tag} is over: it is ${state}.`,
    `To run it again: \`tributary rerun ${tag}\`.`,
  );
}

/** What is asked needs a build that is over. */
export function stillRunning(tag: Tag, state: BuildState) {
  return refuse(
    'still-running',
    `The build ${tag} is ${state}.`,
    `Wait for its end, or cancel it first: \`tributary cancel ${tag}\`.`,
  );
}

function refuse(reason: Reason, detail: string, hint: string) {
  return failed<Failure>({ reason, detail, hint });
}
