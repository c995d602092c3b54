import { isRepeated } from '../../builds/event.ts';
import type { Failure } from '../../builds/failure.ts';
import { harmless } from '../log-file.ts';
import type { DatedMessage } from '../task-output.ts';

/** Lines of progress and retries that are kept of one step, as the local engine does. */
const mostRepeated = 500;
/** Characters of a line of progress, and of all failures of a step as JSON: annotations of a run have room for them. */
const [longestLine, longestFailures] = [2000, 64 * 1024];
/** Milliseconds that clocks of two machines may differ. */
const skew = 60_000;

export interface BeliefOptions {
  /** The steps that the container may tell of. */
  readonly steps: readonly string[];
  /** Whether its word counts that one is finished: no code of a ref runs where it runs. */
  readonly verdicts: boolean;
  /** RFC 3339: nothing was told earlier; undefined: not known. */
  readonly since: string | undefined;
  readonly now: () => Date;
}

/**
 * Says of each message of a container, in their order, what of it is believed; undefined: nothing. Code of a ref that has left its sandbox may tell anything: then
 * it is about the steps of its unit, no more and no longer than steps tell, and at a time that can be.
 */
export function believing(
  options: BeliefOptions,
): (message: DatedMessage) => DatedMessage | undefined {
  const { steps, verdicts, since = '', now } = options;
  const counts = new Map<string, number>();
  return (message) => {
    const { step, kind } = message;
    if (!steps.includes(step) || (kind === 'step-finished' && !verdicts)) return undefined;
    const repeated = isRepeated(message);
    const what = `${repeated ? '' : kind} ${step}`;
    const count = (counts.get(what) ?? 0) + 1;
    counts.set(what, count);
    if (count > (repeated ? mostRepeated : 1)) return undefined;
    return { ...(verdicts ? message : bounded(message)), at: possible(message.at, since, now()) };
  };
}

function bounded(message: DatedMessage): DatedMessage {
  switch (message.kind) {
    case 'step-progress':
      return { ...message, text: line(message.text) };
    case 'step-retrying':
      return { ...message, what: line(message.what), why: line(message.why) };
    case 'step-failed':
      return { ...message, failures: boundedFailures(message.failures) };
    default:
      return message;
  }
}

/** As many as there is room for; of a first one that is too long for all of it, what happened. */
function boundedFailures(failures: readonly Failure[]): readonly Failure[] {
  const [first] = failures;
  let left = longestFailures;
  const kept = failures.filter((failure) => {
    left -= JSON.stringify(failure).length;
    return left >= 0;
  });
  if (kept.length > 0 || first === undefined) return kept;
  return [{ reason: first.reason, detail: line(first.detail), hint: line(first.hint) }];
}

function line(text: string): string {
  const cut = text.length > longestLine ? `${text.slice(0, longestLine)} …` : text;
  return harmless(cut).trimEnd();
}

function possible(at: string, since: string, now: Date): string {
  const time = Date.parse(at);
  const earliest = Date.parse(since) - skew;
  if (time < earliest) return new Date(since).toISOString();
  return (time <= now.getTime() + skew ? new Date(time) : now).toISOString();
}
