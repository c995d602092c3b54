import { BoundedMap } from './bounded-map.ts';

/** Callers that are counted at most; of more, those who asked longest ago begin anew. */
const most = 2000;

/**
 * Counts requests by who sends them. Each has a bucket of `perMinute` requests that fills evenly within a minute; the
 * function gives 0 for a request that may go on, else the seconds until the next one may.
 */
export function createRateLimit(perMinute: number, now: () => number): (who: string) => number {
  const buckets = new BoundedMap<string, { readonly left: number; readonly at: number }>(most);
  const perMillisecond = perMinute / 60_000;
  return (who) => {
    const time = now();
    const before = buckets.get(who) ?? { left: perMinute, at: time };
    const left = Math.min(perMinute, before.left + (time - before.at) * perMillisecond);
    const allowed = left >= 1;
    buckets.set(who, { left: allowed ? left - 1 : left, at: time });
    return allowed ? 0 : Math.ceil((1 - left) / perMillisecond / 1000);
  };
}
