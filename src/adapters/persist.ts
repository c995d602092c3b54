import { setTimeout as sleep } from 'node:timers/promises';
import type { Retry } from '../builds/event.ts';

/** Trouble that may be over in a moment. */
export interface Passing {
  /** For people: `connection refused`. */
  readonly why: string;
  /** Milliseconds that the other side asks to be left alone. */
  readonly after?: number;
  /** At most so many further tries; without it, as many as there is time for. */
  readonly tries?: number;
}

/** How long trouble is waited out, in milliseconds. */
export interface Patience {
  /** Between the first failure and the last try. */
  readonly total: number;
  /** Before the first further try; every wait is twice as long as the one before. */
  readonly first: number;
  readonly longest: number;
}

/** For steps: a registry that is started anew is back within that time. */
export function patienceOfSteps(seconds: number): Patience {
  return { total: seconds * 1000, first: 500, longest: 20_000 };
}

/** For whoever waits for an answer. */
export const briefPatience: Patience = { total: 5000, first: 300, longest: 2000 };

/** For a probe: the next one will try again. */
export const probePatience: Patience = { total: 300, first: 50, longest: 200 };

/** What is told while something is tried again. */
export interface RetryListener {
  retrying(retry: Retry): void;
  /** What was in trouble answers as it should. */
  recovered(what: string): void;
}

/**
 * Does `work`, and does it again as long as it fails for a reason that `passing` knows as such and there is time.
 * `what`: who is asked, for people.
 */
export type Persist = <Value>(
  what: string,
  passing: (error: unknown) => Passing | undefined,
  work: () => Promise<Value>,
) => Promise<Value>;

/** The one way in which anything is tried again: with growing waits that are not the same for all who wait. */
export function createPersist(
  patience: Patience,
  options: { readonly signal?: AbortSignal; readonly listener?: RetryListener } = {},
): Persist {
  const { signal, listener } = options;
  return async (what, passing, work) => {
    let end: number | undefined;
    const waitAfter = async (error: unknown, retry: number) => {
      end ??= performance.now() + patience.total;
      const trouble = signal?.aborted ? undefined : passing(error);
      const wait = trouble && waitBefore(retry, trouble, patience, end);
      if (trouble === undefined || wait === undefined) throw error;
      listener?.retrying({ what, why: trouble.why, retry, seconds: toSeconds(wait) });
      await waitFor(wait, signal);
    };
    for (let retry = 1; ; retry += 1) {
      try {
        const value = await work();
        if (retry > 1) listener?.recovered(what);
        return value;
      } catch (error) {
        await waitAfter(error, retry);
      }
    }
  };
}

/** Milliseconds; undefined where it was tried often enough, or the wait would end too late. */
function waitBefore(
  retry: number,
  trouble: Passing,
  patience: Patience,
  end: number,
): number | undefined {
  if (retry > (trouble.tries ?? retry)) return undefined;
  const grown = Math.min(patience.longest, patience.first * 2 ** (retry - 1));
  // Steps that met the same trouble at once shall not all come back at once.
  const spread = grown * (0.75 + Math.random() / 2);
  const wait = Math.max(spread, trouble.after ?? 0);
  return performance.now() + wait > end ? undefined : wait;
}

/** Throws the reason of the signal where that comes first. */
async function waitFor(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(milliseconds, undefined, signal && { signal }).catch(() => {});
  signal?.throwIfAborted();
}

function toSeconds(milliseconds: number): number {
  return Math.round(milliseconds / 100) / 10;
}
