import type { GitServers } from './git-interface.ts';

/** Milliseconds for which an answer is good: many refs of one request, and a burst of requests, share it. */
const freshness = 2000;

/** The same servers, asked only once for what is asked at the same time or within two seconds. */
export function shared(servers: GitServers, now: () => number): GitServers {
  const advertisements = sharing((url: string) => servers.advertisement(url), now);
  const commits = sharing((url: string, sha: string) => servers.commit(url, sha), now);
  return { advertisement: advertisements, commit: commits };
}

function sharing<Asked extends readonly string[], Value>(
  ask: (...asked: Asked) => Promise<Value>,
  now: () => number,
): (...asked: Asked) => Promise<Value> {
  const answers = new Map<string, { given: Promise<Value>; until: number }>();
  return (...asked) => {
    for (const [key, { until }] of answers) if (until < now()) answers.delete(key);
    const key = asked.join(' ');
    const known = answers.get(key);
    if (known !== undefined) return known.given;
    const given = ask(...asked);
    const answer = { given, until: Number.POSITIVE_INFINITY };
    answers.set(key, answer);
    given.then(
      () => {
        answer.until = now() + freshness;
      },
      // A failure is not kept: the next one asks again.
      () => answers.delete(key),
    );
    return given;
  };
}
