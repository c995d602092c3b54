import pLimit from 'p-limit';
import { z } from 'zod';
import { type Access, attributes, type Caller } from '../../access/caller.ts';
import { type Failure, FailureError } from '../../builds/failure.ts';
import type { KubernetesApi } from './kubernetes-api.ts';

const TokenReview = z.object({
  status: z.object({
    authenticated: z.boolean().default(false),
    audiences: z.array(z.string()).nullish(),
    user: z
      .object({
        // Of a token that is nobody's, the user is there, and empty.
        username: z.string().default(''),
        uid: z.string().optional(),
        groups: z.array(z.string()).nullish(),
        extra: z.record(z.string(), z.array(z.string())).nullish(),
      })
      .optional(),
  }),
});

const AccessReview = z.object({
  status: z.object({ allowed: z.boolean(), denied: z.boolean().default(false) }),
});

/** Reviews at once: who sends made-up tokens without end shall not keep the API server busy. */
const atOnce = 16;
/** Reviews that wait for their turn, at most. */
const waiting = 256;

/**
 * Asks the cluster who a token belongs to (TokenReview, authentication.k8s.io/v1) and what they may do (SubjectAccessReview,
 * authorization.k8s.io/v1). `audiences`: what a token may be made for; none: whatever the API server takes itself.
 */
export function createKubernetesAccess(
  api: Pick<KubernetesApi, 'ask'>,
  options: { readonly namespace: string; readonly audiences: readonly string[] },
): Access {
  const { namespace, audiences } = options;
  const few = pLimit(atOnce);
  const ask: KubernetesApi['ask'] = (...asked) =>
    few.pendingCount < waiting
      ? few(() => api.ask(...asked))
      : Promise.reject(new FailureError(busy));
  return {
    async identify(token) {
      const spec = { token, ...(audiences.length === 0 ? {} : { audiences }) };
      const { status } = await review(
        ask,
        'authentication.k8s.io',
        'TokenReview',
        spec,
        TokenReview,
      );
      if (!status.authenticated || !status.user?.username) return undefined;
      // Whoever does not know audiences lets every token pass: then it was not made for us.
      const madeForUs = audiences.some((audience) => status.audiences?.includes(audience));
      if (audiences.length > 0 && !madeForUs) return undefined;
      const { username, uid, groups, extra } = status.user;
      return {
        user: username,
        ...(uid === undefined || uid === '' ? {} : { uid }),
        groups: groups ?? [],
        extra: extra ?? {},
      };
    },

    async allows({ user, uid, groups, extra }: Caller, permission) {
      const who = { user, groups, extra, ...(uid === undefined ? {} : { uid }) };
      for (const right of attributes[permission]) {
        const { status } = await review(
          ...([ask, 'authorization.k8s.io', 'SubjectAccessReview'] as const),
          { ...who, resourceAttributes: { namespace, ...right } },
          AccessReview,
        );
        if (status.allowed && !status.denied) return true;
      }
      return false;
    },
  };
}

const busy: Failure = {
  reason: 'too-many-requests',
  detail: `${atOnce + waiting} questions of who callers are wait for the cluster already.`,
  hint: 'Try again in a moment. If it stays so, somebody sends made-up tokens without end, or the API server is slow: see the log of whatever stands before the service.',
};

async function review<Answer>(
  ask: KubernetesApi['ask'],
  group: string,
  kind: 'TokenReview' | 'SubjectAccessReview',
  spec: object,
  schema: z.ZodType<Answer>,
): Promise<Answer> {
  const answer = await ask('POST', `/apis/${group}/v1/${kind.toLowerCase()}s`, {
    body: { apiVersion: `${group}/v1`, kind, spec },
  });
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new FailureError({
    reason: 'cluster-unavailable',
    detail: `The cluster does not answer a ${kind} as Kubernetes does.`,
    hint: 'Nothing is done for anybody meanwhile. Check what answers at the address of its API server.',
  });
}
