import { type Failure, reasons } from '../builds/failure.ts';
import { invisible } from '../request/quote.ts';
import type { Problem } from './answers.ts';

/** Failures → RFC 9457 problem details: the first failure speaks, `problems` has them all. */
export function renderProblem(
  failures: readonly [Failure, ...Failure[]],
  instance: string,
): Problem {
  const [first] = failures;
  const row = reasons[first.reason];
  return {
    type: `urn:tributary:${first.reason}`,
    title: row.title,
    status: row.status,
    detail: first.detail,
    instance,
    reason: first.reason,
    hint: first.hint,
    problems: failures.map((failure) => ({ ...failure })),
  };
}

/** A problem as JSON that may be printed as it comes: what strangers wrote is in it, and nothing of that steers a terminal. */
export function problemText(problem: Problem): string {
  return JSON.stringify(problem).replace(invisible, (character) =>
    [...Array(character.length).keys()]
      .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
