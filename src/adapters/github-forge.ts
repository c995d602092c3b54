import { z } from 'zod';
import { FailureError } from '../builds/failure.ts';
import type { Forge } from '../resolve/forge.ts';

const PullRequest = z.object({ base: z.object({ ref: z.string().min(1) }) });

/** GitHub's REST API (https://docs.github.com/rest/pulls/pulls#get-a-pull-request), at `api`. */
export function createGitHubForge(api: string, readToken: () => Promise<string>): Forge {
  return {
    async baseBranch({ path }, number) {
      const url = `${api.replace(/\/$/, '')}/repos/${path}/pulls/${number}`;
      const response = await ask(url, await readToken());
      if (response.status === 404) return undefined;
      if (!response.ok) throw unavailable(url, `it answers ${response.status}`);
      const parsed = PullRequest.safeParse(await response.json().catch(() => undefined));
      if (!parsed.success) throw unavailable(url, 'its answer is no pull request');
      return parsed.data.base.ref;
    },
  };
}

async function ask(url: string, token: string): Promise<Response> {
  try {
    return await fetch(url, {
      headers: {
        accept: 'application/vnd.github+json',
        authorization: `Bearer ${token}`,
        'user-agent': 'tributary',
        'x-github-api-version': '2022-11-28',
      },
      // A redirect would carry the token elsewhere.
      redirect: 'error',
      signal: AbortSignal.timeout(10_000),
    });
  } catch (error) {
    throw unavailable(url, (error as Error).message);
  }
}

function unavailable(url: string, why: string): FailureError {
  return new FailureError({
    reason: 'git-unavailable',
    detail: `The forge does not tell the base of a pull request (${url}): ${why}.`,
    hint: 'Try again, give `base` in the request, or check `forges` in the configuration.',
  });
}
