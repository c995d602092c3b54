import type { BuildState } from '../../builds/build.ts';
import type { BuildEvent } from '../../builds/event.ts';
import { isFinished, nextState } from '../../builds/fold.ts';
import type { Tag } from '../../plan/names.ts';
import type { BuildStore } from './store.ts';

/** The events of one build in memory, while somebody follows it. */
interface Feed {
  readonly events: BuildEvent[];
  last: number;
  state: BuildState;
  readonly waiting: Set<() => void>;
  readers: number;
}

/** A look at a feed. */
export interface FeedReader extends Disposable {
  readonly events: readonly BuildEvent[];
  /** Whether nothing more comes (or there is no such build). */
  isFinished(): boolean;
  /** Waits for the next event, for `wake` of `watch` to be called, or for `signal`. */
  changed(signal: AbortSignal, watch?: (wake: () => void) => () => void): Promise<void>;
}

/**
 * Lets any number of readers follow builds. The store is read once for each change however many
 * follow, and a reader pulls at its own pace from what all of them share: a slow one holds up nobody and nothing
 * is kept for it.
 */
export class Feeds {
  readonly #store: Pick<BuildStore, 'events'>;
  readonly #feeds = new Map<Tag, Feed>();

  constructor(store: Pick<BuildStore, 'events'>) {
    this.#store = store;
  }

  /** Something was appended to a build, or (without a tag) to any, perhaps by another process. */
  refresh(tag?: Tag): void {
    for (const [followed, feed] of this.#feeds) {
      if (tag === undefined || followed === tag) this.#read(followed, feed);
    }
  }

  /** All events, then new ones until the build is finished. */
  async *follow(tag: Tag, signal: AbortSignal): AsyncGenerator<BuildEvent> {
    using reader = this.read(tag);
    let next = 0;
    while (!signal.aborted) {
      const event = reader.events[next];
      if (event !== undefined) {
        next += 1;
        yield event;
      } else if (reader.isFinished()) {
        return;
      } else {
        await reader.changed(signal);
      }
    }
  }

  /** The events of a build, growing until the reader is disposed of. */
  read(tag: Tag): FeedReader {
    const feed = this.#open(tag);
    return {
      events: feed.events,
      isFinished: () => feed.events.length === 0 || isFinished(feed.state),
      changed: (signal, watch) => changed(feed, signal, watch),
      [Symbol.dispose]: () => this.#leave(tag, feed),
    };
  }

  #open(tag: Tag): Feed {
    let feed = this.#feeds.get(tag);
    if (feed === undefined) {
      feed = { events: [], last: 0, state: 'queued', waiting: new Set(), readers: 0 };
      this.#feeds.set(tag, feed);
      this.#read(tag, feed);
    }
    feed.readers += 1;
    return feed;
  }

  #leave(tag: Tag, feed: Feed): void {
    feed.readers -= 1;
    if (feed.readers === 0) this.#feeds.delete(tag);
  }

  #read(tag: Tag, feed: Feed): void {
    const found = this.#store.events(tag, feed.last);
    for (const { sequence, event } of found) {
      feed.events.push(event);
      feed.last = sequence;
      feed.state = nextState(feed.state, event);
    }
    if (found.length === 0) return;
    for (const wake of feed.waiting) wake();
  }
}

async function changed(
  feed: Feed,
  signal: AbortSignal,
  watch?: (wake: () => void) => () => void,
): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  feed.waiting.add(resolve);
  const abort = () => resolve();
  signal.addEventListener('abort', abort, { once: true });
  const unwatch = watch?.(resolve);
  try {
    await promise;
  } finally {
    feed.waiting.delete(resolve);
    signal.removeEventListener('abort', abort);
    unwatch?.();
  }
}
