import { type Failure, reasons } from '../builds/failure.ts';
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
