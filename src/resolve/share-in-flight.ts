import { canonicalText } from '../plan/canonical-hash.ts';

/**
 * The same work, done once for all who ask for the same while it is done: fifty identical requests at once cost one
 * resolution. An answer is not kept: who asks later hears how things stand then.
 */
export function shareInFlight<Asked, Value>(
  work: (asked: Asked) => Promise<Value>,
): (asked: Asked) => Promise<Value> {
  const running = new Map<string, Promise<Value>>();
  return (asked) => {
    const key = canonicalText(asked);
    const known = running.get(key);
    if (known !== undefined) return known;
    const started = work(asked).finally(() => running.delete(key));
    running.set(key, started);
    return started;
  };
}
