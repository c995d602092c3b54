import { setTimeout as sleep } from 'node:timers/promises';
import type { Build, NewBuild } from '../../builds/build.ts';
import { type BuildChange, eventId } from '../../builds/event.ts';
import { foldBuild, isFinished } from '../../builds/fold.ts';
import type { Tag } from '../../plan/names.ts';
import { AttemptLog } from './attempt-log.ts';
import { isAlive, type Owner } from './owner.ts';
import { runAttempt } from './run-attempt.ts';
import { Slots } from './slots.ts';
import type { AttemptProcesses } from './step-processes.ts';
import type { BuildStore, StoredBuild } from './store.ts';

export interface WorkerOptions {
  readonly store: BuildStore;
  readonly state: string;
  readonly owner: Owner;
  readonly limits: { readonly builds: number; readonly steps: number };
  /** `all`: whatever nobody runs; `own`: only what was {@link Worker.adopt}ed; `none`: nothing. */
  readonly work: 'all' | 'own' | 'none';
  /** The processes of a further attempt. */
  readonly openProcesses: () => AttemptProcesses;
  /** What runs steps now, as `Plan.madeBy` names it. */
  readonly toolSet: () => Promise<string>;
  /** Tells the targets of a build; it is not waited for, and its failing is no failure of the build. */
  readonly notify: (
    build: Build,
    targets: readonly string[],
    moment: 'started' | 'finished',
  ) => void | Promise<void>;
  readonly now: () => Date;
  readonly report: (text: string, error?: unknown) => void;
  /** A build's events were added to. */
  readonly changed: (tag: Tag) => void;
}

/** Milliseconds that the end waits for notifications. */
const lastWords = 3000;

interface Running {
  readonly build: StoredBuild;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** Takes builds from the queue and runs them: first those that a dead process left behind, then in order. */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #slots: Slots;
  readonly #running = new Map<Tag, Running>();
  readonly #own = new Set<Tag>();
  readonly #clock: NodeJS.Timeout;
  readonly #tellings = new Set<Promise<void>>();
  /** Builds that the store let down: taken again at the next tick of the clock. */
  readonly #interrupted = new Set<Tag>();
  #trouble = '';
  #taken = 0;
  #closed = false;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#slots = new Slots(options.limits.steps);
    // A process that dies says nothing: what it leaves behind has to be looked for.
    this.#clock = setInterval(() => {
      this.#interrupted.clear();
      this.wake();
    }, 2000).unref();
  }

  /** A build that this engine was asked for. */
  adopt(tag: Tag): void {
    this.#own.add(tag);
    this.wake();
  }

  /** Takes as many builds as may run now. */
  wake(): void {
    if (this.#closed || this.#options.work === 'none') return;
    try {
      for (let build = this.#take(); build !== undefined; build = this.#take()) this.#begin(build);
      this.#trouble = '';
    } catch (error) {
      this.#complain('no build can be taken', error);
    }
  }

  /** Ends the processes of builds whose cancelling was asked for in another process. */
  lookForCancelled(): void {
    const { store } = this.#options;
    for (const [tag, { build, stop }] of this.#running) {
      const asked = store
        .events(tag, 0)
        .some(({ event }) => event.kind === 'cancel-requested' && event.attempt === build.attempt);
      if (asked) stop.abort();
    }
  }

  /** Ends the processes of a build that this worker runs; settles when none is left and the build is cancelled. */
  async cancel(tag: Tag): Promise<void> {
    const running = this.#running.get(tag);
    running?.stop.abort();
    await running?.done;
  }

  /** Ends all processes without a verdict. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#clock);
    const running = [...this.#running.values()];
    for (const { stop } of running) stop.abort();
    await Promise.all(running.map(({ done }) => done));
    // A command that built one thing ends now: whoever waits for its end shall hear of it, if they listen.
    const patience = new AbortController();
    const patient = sleep(lastWords, undefined, { signal: patience.signal }).catch(() => {});
    await Promise.race([Promise.all(this.#tellings), patient]);
    patience.abort();
  }

  #take(): StoredBuild | undefined {
    const { store, owner, limits, work, now, changed } = this.#options;
    const taken = store.atomically(() => {
      const open = store.open();
      const isFree = ({ owner: by, asked: { tag } }: StoredBuild) =>
        by === owner.id
          ? !this.#running.has(tag) && !this.#interrupted.has(tag)
          : by === null || !isAlive(by);
      const busy = open.filter((build) => build.state === 'running' && !isFree(build));
      if (busy.length >= limits.builds) return undefined;
      const mine = (build: StoredBuild) => work === 'all' || this.#own.has(build.asked.tag);
      const build = open.find((candidate) => isFree(candidate) && mine(candidate));
      if (build === undefined) return undefined;
      store.setOwner(build.asked.tag, owner.id);
      if (build.state === 'queued') append(store, build, now, [{ kind: 'started' }]);
      return build;
    });
    if (taken === undefined) return undefined;
    changed(taken.asked.tag);
    if (taken.state === 'queued') this.#tell(readStatus(store, taken), taken, 'started');
    return taken;
  }

  #tell(status: Build, { asked }: StoredBuild, moment: 'started' | 'finished'): void {
    const { notify, report } = this.#options;
    const telling = (async () => notify(status, asked.notify, moment))()
      .catch((error) => report(`nobody could be told that ${asked.tag} ${moment}`, error))
      .finally(() => this.#tellings.delete(telling));
    this.#tellings.add(telling);
  }

  #begin(build: StoredBuild): void {
    const stop = new AbortController();
    this.#taken += 1;
    const done = this.#run(build, stop.signal, this.#taken).finally(() => {
      this.#running.delete(build.asked.tag);
      this.wake();
    });
    this.#running.set(build.asked.tag, { build, stop, done });
  }

  async #run(build: StoredBuild, signal: AbortSignal, order: number): Promise<void> {
    const { store, now, changed, report } = this.#options;
    const { tag } = build.asked;
    try {
      const log = new AttemptLog(store, { tag, attempt: build.attempt }, now, changed);
      if (!log.cancelRequested) {
        const statusWith = (verdict: BuildChange) => readStatus(store, build, [verdict], now);
        const processes = this.#options.openProcesses();
        const { startUnit } = processes;
        const more = { startUnit, slots: this.#slots, signal, order, statusWith };
        const end = await runAttempt(build, log, { ...this.#options, ...more }).finally(() => {
          const closed = processes.close();
          // Only who ends a build wants to hear that nothing of it is left.
          return signal.aborted ? closed : undefined;
        });
        if (end === 'outdated' && !signal.aborted) {
          report(`${tag} begins anew: its plan is gone or of another version of Tributary`);
          startAttempt(store, build, build.asked, now);
          changed(tag);
          return;
        }
      }
      settleCancelled(store, build, now);
      changed(tag);
      const status = readStatus(store, build);
      if (isFinished(status.state)) this.#tell(status, build, 'finished');
      else store.setOwner(tag, null);
    } catch (error) {
      // The store does not answer (a full disk), or a bug: the build stays open, and is taken again in a moment.
      this.#interrupted.add(tag);
      this.#complain(`build ${tag} was interrupted`, error);
    }
  }

  /** The same trouble is told once, not every two seconds. */
  #complain(text: string, error: unknown): void {
    const trouble = `${text}: ${error instanceof Error ? error.message : String(error)}`;
    if (trouble !== this.#trouble) this.#options.report(text, error);
    this.#trouble = trouble;
  }
}

/** Puts a further attempt of a build into the queue, as asked now. */
export function startAttempt(
  store: BuildStore,
  existing: StoredBuild,
  asked: NewBuild,
  now: () => Date,
): void {
  store.atomically(() => {
    const attempt = existing.attempt + 1;
    store.enqueue(asked, attempt);
    append(store, { asked, attempt }, now, [{ kind: 'queued' }]);
  });
}

/** Writes the end of a build whose cancelling was asked for, once none of its processes is left. */
export function settleCancelled(store: BuildStore, build: StoredBuild, now: () => Date): void {
  store.atomically(() => {
    const events = store.events(build.asked.tag, 0).map(({ event }) => event);
    const status = foldBuild(build.asked, events);
    const asked = events.some(
      (event) => event.kind === 'cancel-requested' && event.attempt === build.attempt,
    );
    if (!asked || isFinished(status.state) || status.attempt !== build.attempt) return;
    const left = status.steps.filter(({ state }) => state === 'waiting' || state === 'running');
    const skipped = left.map(({ id }) => ({ kind: 'step-skipped', step: id }) as const);
    append(store, build, now, [...skipped, { kind: 'cancelled' }]);
  });
}

/** The status of a build from the store's events; with `more`, as if that had happened, too. */
export function readStatus(
  store: BuildStore,
  build: StoredBuild,
  more: readonly BuildChange[] = [],
  now: () => Date = () => new Date(),
): Build {
  const { attempt, asked } = build;
  const events = store.events(asked.tag, 0).map(({ event }) => event);
  for (const change of more) {
    events.push({ ...change, id: eventId(attempt, change), at: now().toISOString(), attempt });
  }
  return foldBuild(asked, events, build.queuePosition);
}

/** Appends changes that carry no number. */
export function append(
  store: BuildStore,
  build: Pick<StoredBuild, 'asked' | 'attempt'>,
  now: () => Date,
  changes: readonly BuildChange[],
): void {
  const numbered = changes.map((change) => ({ change, sequence: 0 }));
  store.append(build.asked.tag, build.attempt, now().toISOString(), numbered);
}
