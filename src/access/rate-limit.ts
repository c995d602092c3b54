import { BoundedMap } from './bounded-map.ts';

/** Callers that are counted at most; of more, those who asked longest ago begin anew. */
const most = 2000;

/** Counts requests by who sends them. */
export interface RateLimit {
  /** Takes one: 0 where it may go on, else the seconds until the next one may. */
  take(who: string): number;
  /** The last one does not count after all. */
  giveBack(who: string): void;
}

/** Each has a bucket of `perMinute` requests that fills evenly within a minute. */
export function createRateLimit(perMinute: number, now: () => number): RateLimit {
  const buckets = new BoundedMap<string, { readonly left: number; readonly at: number }>(most);
  const perMillisecond = perMinute / 60_000;
  const leftOf = (who: string) => {
    const time = now();
    const before = buckets.get(who) ?? { left: perMinute, at: time };
    return Math.min(perMinute, before.left + (time - before.at) * perMillisecond);
  };
  return {
    take(who) {
      const left = leftOf(who);
      const allowed = left >= 1;
      buckets.set(who, { left: allowed ? left - 1 : left, at: now() });
      return allowed ? 0 : Math.ceil((1 - left) / perMillisecond / 1000);
    },
    giveBack: (who) => buckets.set(who, { left: Math.min(perMinute, leftOf(who) + 1), at: now() }),
  };
}
