import { createHash } from 'node:crypto';
import { BoundedMap } from './bounded-map.ts';
import type { Access } from './caller.ts';

/** Milliseconds for which an answer counts. A right that is taken away ends so soon; one that was just given must not wait. */
const remembered = { yes: 30_000, no: 3000 } as const;
/** For so long after the cluster last said whose a token is, it is not taken for a made-up one. */
const familiar = 3_600_000;
/** Answers of each kind that are kept at most. */
const most = 2000;

/** An access that remembers what it was told. */
export interface RememberedAccess extends Access {
  /** Whether a token is none that somebody may have made up: nobody has to be asked whose it is, or it was somebody's within the last hour. */
  knows(token: string): boolean;
}

/**
 * The same access, which asks the cluster at most once in a while for the same thing. Tokens are known by their hash:
 * a dump of this memory holds none.
 */
export function rememberedAccess(access: Access, now: () => number): RememberedAccess {
  const identities = new Answers(access.identify, (token) => sha256(token), now);
  const decisions = new Answers(
    access.allows,
    (caller, permission) => sha256(JSON.stringify([permission, caller])),
    now,
  );
  return {
    identify: (token) => identities.of(token),
    allows: (caller, permission) => decisions.of(caller, permission),
    knows: (token) => identities.know(token),
  };
}

/**
 * Shares what is asked at the same time, keeps answers for their time, and failures not at all. What was a no is kept apart: however many made-up tokens are
 * sent, no caller who is known is forgotten for them.
 */
class Answers<Asked extends readonly unknown[], Answer> {
  readonly #ask: (...asked: Asked) => Promise<Answer>;
  readonly #keyOf: (...asked: Asked) => string;
  readonly #now: () => number;
  readonly #kept = {
    yes: new BoundedMap<string, { readonly answer: Answer; readonly until: number }>(most),
    no: new BoundedMap<string, { readonly answer: Answer; readonly until: number }>(most),
  };
  /** As many as whoever is asked takes at a time. */
  readonly #asked = new Map<string, Promise<Answer>>();

  constructor(
    ask: (...asked: Asked) => Promise<Answer>,
    keyOf: (...asked: Asked) => string,
    now: () => number,
  ) {
    this.#ask = ask;
    this.#keyOf = keyOf;
    this.#now = now;
  }

  /** Whether the answer is kept, or was a yes not long ago and no other since. */
  know(...asked: Asked): boolean {
    const key = this.#keyOf(...asked);
    const { until = Number.NEGATIVE_INFINITY } = this.#kept.yes.get(key) ?? {};
    const last = until - remembered.yes;
    return this.#find(key) !== undefined || this.#now() < last + familiar;
  }

  async of(...asked: Asked): Promise<Answer> {
    const key = this.#keyOf(...asked);
    const known = this.#find(key);
    if (known !== undefined) return known.answer;
    const asking = this.#asked.get(key) ?? this.#askAndKeep(key, asked);
    this.#asked.set(key, asking);
    return asking;
  }

  async #askAndKeep(key: string, asked: Asked): Promise<Answer> {
    try {
      const answer = await this.#ask(...asked);
      const kind = answer ? 'yes' : 'no';
      for (const kept of Object.values(this.#kept)) kept.delete(key);
      this.#kept[kind].set(key, { answer, until: this.#now() + remembered[kind] });
      return answer;
    } finally {
      this.#asked.delete(key);
    }
  }

  #find(key: string) {
    const known = this.#kept.yes.get(key) ?? this.#kept.no.get(key);
    return known !== undefined && this.#now() < known.until ? known : undefined;
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
