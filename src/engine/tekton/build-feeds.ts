import type { BuildEvent } from '../../builds/event.ts';
import type { Registry } from '../../steps/step.ts';
import { BuildFeed } from './build-feed.ts';
import type { Attempts } from './builds-of-runs.ts';
import type { Cluster } from './cluster.ts';
import { type RunSet, tagOf } from './run-set.ts';
import type { TaskFollower } from './task-follower.ts';

interface BuildFeedsOptions {
  readonly cluster: Cluster;
  readonly registry: () => Promise<Registry>;
}

interface OpenFeed {
  readonly feed: BuildFeed;
  users: number;
  linger: NodeJS.Timeout | undefined;
}

/** Milliseconds that a build is followed after nobody asks for it any more: who asks again shall not begin anew. */
const lingering = 15_000;

/** One feed for each build that somebody looks at. */
export class BuildFeeds {
  readonly #runs: RunSet;
  readonly #options: BuildFeedsOptions;
  readonly #open = new Map<string, OpenFeed>();
  #unlisten: (() => void) | undefined;

  constructor(runs: RunSet, options: BuildFeedsOptions) {
    this.#runs = runs;
    this.#options = options;
  }

  /** The feed of a build, for as long as `work` takes. */
  async use<Value>(attempts: Attempts, work: (feed: BuildFeed) => Promise<Value>): Promise<Value> {
    const open = this.#enter(attempts);
    try {
      return await work(open.feed);
    } finally {
      this.#leave(tagOf(attempts[0]), open);
    }
  }

  async *events(attempts: Attempts, signal: AbortSignal): AsyncGenerator<BuildEvent> {
    const open = this.#enter(attempts);
    try {
      yield* open.feed.events(signal);
    } finally {
      this.#leave(tagOf(attempts[0]), open);
    }
  }

  /** Text of a step's log in the latest attempt; undefined where it has no such step. */
  async log(
    attempts: Attempts,
    step: string,
    follow: boolean,
    signal: AbortSignal,
  ): Promise<AsyncIterable<string> | undefined> {
    const known = await this.use(attempts, async (feed) => {
      await feed.caughtUp(5000);
      return feed.status().steps.some(({ id }) => id === step);
    });
    return known ? this.#readLog(attempts, step, follow, signal) : undefined;
  }

  close(): void {
    this.#unlisten?.();
    for (const { feed, linger } of this.#open.values()) {
      clearTimeout(linger);
      feed.close();
    }
    this.#open.clear();
  }

  async *#readLog(
    attempts: Attempts,
    step: string,
    follow: boolean,
    signal: AbortSignal,
  ): AsyncGenerator<string> {
    const open = this.#enter(attempts);
    try {
      const task = await open.feed.taskOf(step, follow, signal);
      if (task !== undefined) yield* logOf(task, step, follow, signal, open.feed);
    } finally {
      this.#leave(tagOf(attempts[0]), open);
    }
  }

  #enter(attempts: Attempts): OpenFeed {
    const tag = tagOf(attempts[0]);
    let open = this.#open.get(tag);
    if (open === undefined) {
      open = { feed: new BuildFeed(attempts, this.#options), users: 0, linger: undefined };
      this.#open.set(tag, open);
      this.#listen();
    } else for (const run of attempts) open.feed.update(run);
    clearTimeout(open.linger);
    open.users += 1;
    return open;
  }

  #leave(tag: string, open: OpenFeed): void {
    open.users -= 1;
    if (open.users > 0) return;
    open.linger = setTimeout(() => {
      this.#open.delete(tag);
      open.feed.close();
    }, lingering).unref();
  }

  #listen(): void {
    this.#unlisten ??= this.#runs.listen((run, gone) => {
      const feed = this.#open.get(tagOf(run))?.feed;
      if (gone) feed?.remove(run);
      else feed?.update(run);
    });
  }
}

async function* logOf(
  task: TaskFollower,
  step: string,
  follow: boolean,
  signal: AbortSignal,
  feed: BuildFeed,
): AsyncGenerator<string> {
  const followed = await feed.until(
    () => task.logs.get(step) ?? (task.view().final || !follow ? null : undefined),
    signal,
  );
  if (followed) yield* followed.read(follow, signal);
  else {
    const kept = task.kept(step);
    if (kept !== undefined && kept !== '') yield kept;
  }
}
