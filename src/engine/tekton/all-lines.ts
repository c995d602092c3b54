import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds between looks at a log that broke off. */
const pause = 250;

/**
 * All lines that a container prints, from the first one until it ends: where the connection breaks, or is cut, from where it was. `log` gives them from the
 * first one; what cannot be read again and again of a container that has ended is gone.
 */
export async function* allLines(
  log: (follow: boolean) => AsyncIterable<string>,
  isTerminated: () => boolean,
  signal: AbortSignal,
): AsyncGenerator<string> {
  let lines = 0;
  for (let failures = 0; !signal.aborted; ) {
    const follow = !isTerminated();
    try {
      let skip = lines;
      for await (const line of log(follow)) {
        skip -= 1;
        if (skip >= 0) continue;
        lines += 1;
        failures = 0;
        yield line;
      }
      // It ended because the container did, or because somebody cut it: then there is more.
      if (!follow) return;
    } catch {
      failures += 1;
    }
    if (failures > 3 && isTerminated()) return;
    await sleep(pause, undefined, { signal }).catch(() => {});
  }
}
