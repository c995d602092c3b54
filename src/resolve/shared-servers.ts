import type { Advertisement, GitServers } from './git-interface.ts';

/** Milliseconds for which an answer is good: many refs of one request, and a burst of requests, share it. */
const freshness = 2000;

/** The same servers, asked only once for what is asked at the same time or within two seconds. */
export function shared(servers: GitServers, now: () => number): GitServers {
  const answers = new Map<string, { asked: Promise<Advertisement>; until: number }>();
  return {
    advertisement(url) {
      for (const [key, answer] of answers) if (answer.until < now()) answers.delete(key);
      const known = answers.get(url);
      if (known !== undefined) return known.asked;
      const asked = servers.advertisement(url);
      const answer = { asked, until: Number.POSITIVE_INFINITY };
      answers.set(url, answer);
      asked.then(
        () => {
          answer.until = now() + freshness;
        },
        // A failure is not kept: the next one asks again.
        () => answers.delete(url),
      );
      return asked;
    },
    commit: (url, sha) => servers.commit(url, sha),
  };
}
