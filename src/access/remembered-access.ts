import { createHash } from 'node:crypto';
import { BoundedMap } from './bounded-map.ts';
import type { Access } from './caller.ts';

/** Milliseconds for which an answer counts. A right that is taken away ends so soon; one that was just given must not wait. */
const remembered = { yes: 30_000, no: 3000 } as const;
/** Answers that are kept at most. */
const most = 2000;

/**
 * The same access, which asks the cluster at most once in a while for the same thing. Tokens are known by their hash:
 * a dump of this memory holds none.
 */
export function rememberedAccess(access: Access, now: () => number): Access {
  const identities = remembering(access.identify, (token) => sha256(token), now);
  const decisions = remembering(
    access.allows,
    (caller, permission) => sha256(JSON.stringify([permission, caller])),
    now,
  );
  return { identify: identities, allows: decisions };
}

/** Shares what is asked at the same time, keeps answers for their time, and failures not at all. */
function remembering<Asked extends readonly unknown[], Answer>(
  ask: (...asked: Asked) => Promise<Answer>,
  keyOf: (...asked: Asked) => string,
  now: () => number,
): (...asked: Asked) => Promise<Answer> {
  const answers = new BoundedMap<string, { given: Promise<Answer>; until: number }>(most);
  return (...asked) => {
    const key = keyOf(...asked);
    const known = answers.get(key);
    if (known !== undefined && now() < known.until) return known.given;
    const given = ask(...asked);
    const answer = { given, until: Number.POSITIVE_INFINITY };
    answers.set(key, answer);
    given.then(
      (value) => {
        answer.until = now() + (value ? remembered.yes : remembered.no);
      },
      () => {
        if (answers.get(key) === answer) answers.delete(key);
      },
    );
    return given;
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
