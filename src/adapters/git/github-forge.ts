import { z } from 'zod';
import { FailureError } from '../../builds/failure.ts';
import type { Forge } from '../../resolve/forge.ts';
import type { Passing, Persist } from '../persist.ts';

const Answer = z.object({
  base: z.object({ ref: z.string().min(1) }),
  head: z.object({
    sha: z.string().optional(),
    // Null where the fork was deleted.
    repo: z.object({ full_name: z.string() }).nullish(),
  }),
  merge_commit_sha: z.string().nullish(),
});

/** GitHub's REST API (https://docs.github.com/rest/pulls/pulls#get-a-pull-request), at `api`. */
export function createGitHubForge(
  api: string,
  readToken: () => Promise<string>,
  persist: Persist,
): Forge {
  return {
    async pullRequest({ path }, number) {
      const url = `${api.replace(/\/$/, '')}/repos/${path}/pulls/${number}`;
      const token = await readToken();
      const response = await persist(`forge ${new URL(api).host}`, passing, () =>
        ask(url, token),
      ).catch((error: unknown) => {
        throw error instanceof ForgeTrouble ? unavailable(url, error.message) : error;
      });
      if (response.status === 404) return undefined;
      if (response.status === 401 || response.status === 403) throw denied(api, response.status);
      if (!response.ok) throw unavailable(url, `it answers ${response.status}`);
      const parsed = Answer.safeParse(await response.json().catch(() => undefined));
      if (!parsed.success) throw unavailable(url, 'its answer is no pull request');
      const { base, head, merge_commit_sha: merge } = parsed.data;
      return {
        base: base.ref,
        from: head.repo?.full_name,
        commits: [head.sha, merge].flatMap((commit) => commit ?? []),
      };
    },
  };
}

/** What may be over in a moment. */
class ForgeTrouble extends Error {
  readonly after: number | undefined;

  constructor(why: string, after?: number) {
    super(why);
    this.after = after;
  }
}

function passing(error: unknown): Passing | undefined {
  if (!(error instanceof ForgeTrouble)) return undefined;
  return { why: error.message, ...(error.after !== undefined && { after: error.after }) };
}

async function ask(url: string, token: string): Promise<Response> {
  const response = await send(url, token);
  if (response.status !== 429 && response.status < 500) return response;
  await response.body?.cancel();
  const seconds = Number(response.headers.get('retry-after') ?? 0) || 0;
  throw new ForgeTrouble(`it answers ${response.status}`, seconds * 1000);
}

async function send(url: string, token: string): Promise<Response> {
  try {
    return await fetch(url, {
      headers: {
        accept: 'application/vnd.github+json',
        authorization: `Bearer ${token}`,
        'user-agent': 'tributary',
        'x-github-api-version': '2022-11-28',
      },
      // A redirect would carry the token elsewhere.
      redirect: 'manual',
      signal: AbortSignal.timeout(10_000),
    });
  } catch (error) {
    const { cause, message } = error as Error;
    throw new ForgeTrouble(cause instanceof Error ? cause.message : message);
  }
}

function denied(api: string, status: number): FailureError {
  return new FailureError({
    reason: 'git-denied',
    detail: `The forge refuses our token (${api} answers ${status}).`,
    hint: 'It may have expired: renew the token under `forges` in the configuration, or give `base` in the request.',
  });
}

function unavailable(url: string, why: string): FailureError {
  return new FailureError({
    reason: 'git-unavailable',
    detail: `The forge does not tell about a pull request (${url}): ${why}.`,
    hint: 'Try again, give `base` in the request, or check `forges` in the configuration.',
  });
}
