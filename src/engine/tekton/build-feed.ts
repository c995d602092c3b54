import { setTimeout as sleep } from 'node:timers/promises';
import type { AskedBuild, Build } from '../../builds/build.ts';
import { type BuildEvent, eventId } from '../../builds/event.ts';
import { foldBuild } from '../../builds/fold.ts';
import type { Lock } from '../../plan/lock.ts';
import { attemptEvents } from './attempt-events.ts';
import { isOver } from './attempt-view.ts';
import { askedOf } from './builds-of-runs.ts';
import type { ClusterRun } from './cluster.ts';
import { removedRun } from './judge-task.ts';
import { attemptOf, RunFollower, type RunFollowerOptions } from './run-follower.ts';
import type { TaskFollower } from './task-follower.ts';

/** Milliseconds between something becoming known and being told. */
const brief = 20;

/** Everything that is known of a build, followed while it runs, for any number of readers. */
export class BuildFeed {
  readonly #lock: Lock;
  readonly #options: Omit<RunFollowerOptions, 'lock' | 'changed'>;
  readonly #runs = new Map<string, RunFollower>();
  #told: BuildEvent[] = [];
  readonly #ids = new Set<string>();
  #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #removed: BuildEvent | undefined;
  #closed = false;

  constructor(
    runs: readonly [ClusterRun, ...ClusterRun[]],
    options: Omit<RunFollowerOptions, 'lock' | 'changed'>,
  ) {
    this.#lock = demandAsked(runs[0]).lock;
    this.#options = options;
    for (const run of runs) this.update(run);
  }

  /** A run of the build as it is now. */
  update(run: ClusterRun): void {
    const known = this.#runs.get(run.name);
    if (known?.run.uid === run.uid) known.update(run);
    else {
      if (known !== undefined) this.#beginAnew(known);
      const follower = new RunFollower(run, {
        ...this.#options,
        lock: this.#lock,
        changed: () => this.#refreshSoon(),
      });
      this.#runs.set(run.name, follower);
      this.#removed = undefined;
    }
    this.#refresh();
  }

  /** A run of the same name came after one that was removed: nothing that was told holds of it. */
  #beginAnew(before: RunFollower): void {
    before.close();
    this.#told = [];
    this.#ids.clear();
  }

  /** A run is gone: pruned, where it was over; else somebody removed it. */
  remove(run: ClusterRun): void {
    const known = this.#runs.get(run.name);
    if (known === undefined || known.run.uid !== run.uid || isOver(known.run)) return;
    const attempt = attemptOf(run);
    const change = { kind: 'failed', failures: [removedRun(run.name)] } as const;
    this.#removed = {
      ...{ ...change, attempt, id: eventId(attempt, change) },
      at: new Date().toISOString(),
    };
    this.#refresh();
  }

  /** The status as far as it is known now. */
  status(): Build {
    const latest = this.#latest();
    if (latest === undefined) throw new Error('a build without a run');
    return foldBuild(
      // Each attempt may have been asked for by somebody else.
      demandAsked(latest.run),
      this.#known(),
    );
  }

  /** Whether everything is known about what is over by now; waits for it, for so many milliseconds at most. */
  async caughtUp(patience: number): Promise<boolean> {
    const late = AbortSignal.timeout(patience);
    const followers = [...this.#runs.values()];
    const listed = Promise.all(followers.map((one) => one.listed));
    await Promise.race([listed, sleep(patience, undefined, { ref: false })]);
    while (!late.aborted && !followers.every((one) => one.isSettled())) await this.#changed(late);
    return followers.every((one) => one.isSettled());
  }

  /** All events, then those that come, until the build is over or `signal`. */
  async *events(signal: AbortSignal): AsyncGenerator<BuildEvent> {
    await this.caughtUp(10_000);
    this.#refresh();
    let told = this.#told;
    let next = 0;
    while (!signal.aborted) {
      if (told !== this.#told) [told, next] = [this.#told, 0];
      const event = told[next];
      if (event !== undefined) {
        next += 1;
        yield event;
      } else if (this.isFinished()) return;
      else await this.#changed(signal);
    }
  }

  /** Whether the end of the latest attempt was told. */
  isFinished(): boolean {
    const latest = Math.max(...[...this.#runs.values()].map(({ run }) => attemptOf(run)));
    return this.#told.some(({ attempt, kind }) => attempt >= latest && ends.has(kind));
  }

  /** The task of the latest attempt that makes a step; waits for it where `follow`. */
  taskOf(step: string, follow: boolean, signal: AbortSignal): Promise<TaskFollower | undefined> {
    return this.until(() => {
      const task = this.#latest()?.taskOf(step);
      return task ?? (!follow || this.isFinished() ? null : undefined);
    }, signal);
  }

  /** What `look` gives as soon as it is not undefined; undefined for null, and where the signal comes first. */
  async until<Value>(
    look: () => Value | null | undefined,
    signal: AbortSignal,
  ): Promise<Value | undefined> {
    for (let found = look(); ; found = look()) {
      if (found !== undefined || signal.aborted) return found ?? undefined;
      await this.#changed(signal);
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const run of this.#runs.values()) run.close();
    this.#wake();
  }

  #latest(): RunFollower | undefined {
    return this.#sorted().at(-1);
  }

  #sorted(): RunFollower[] {
    return [...this.#runs.values()].toSorted(
      (one, other) => attemptOf(one.run) - attemptOf(other.run),
    );
  }

  #known(): readonly BuildEvent[] {
    const known: BuildEvent[] = [];
    for (const run of this.#sorted()) {
      const events = attemptEvents(run.view());
      known.push(...events);
      // What a later attempt does is told when everything is known of this one.
      if (!run.isSettled() && !ends.has(events.at(-1)?.kind ?? 'queued')) break;
    }
    return this.#removed === undefined ? known : [...known, this.#removed];
  }

  /** Tells what became known. */
  #refresh(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const event of this.#known()) {
      if (this.#ids.has(event.id)) continue;
      this.#ids.add(event.id);
      this.#told.push(event);
    }
    // Also without an event: whoever waits for tasks or logs looks again.
    this.#wake();
  }

  /** Soon: much is told at once. */
  #refreshSoon(): void {
    if (this.#closed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#refresh(), brief).unref();
  }

  async #changed(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const abort = () => resolve();
    this.#waiting.push(abort);
    signal.addEventListener('abort', abort, { once: true });
    await promise;
    signal.removeEventListener('abort', abort);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

function demandAsked(run: ClusterRun): AskedBuild {
  const asked = askedOf(run);
  if (asked === undefined) throw new Error(`the run ${run.name} does not say what was asked`);
  return asked;
}

const ends: ReadonlySet<BuildEvent['kind']> = new Set([
  'succeeded',
  'failed',
  'cancelled',
  'expired',
]);
