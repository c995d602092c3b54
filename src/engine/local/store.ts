import type { BuildState, NewBuild } from '../../builds/build.ts';
import type { BuildEvent } from '../../builds/event.ts';
import type { NumberedChange } from '../../builds/number-changes.ts';
import type { Tag } from '../../plan/names.ts';
import type { BuildQuery } from '../engine.ts';

/** A build as it is kept. */
export interface StoredBuild {
  readonly asked: NewBuild;
  /** What the fold of its events says, kept for finding. */
  readonly state: BuildState;
  readonly attempt: number;
  /** 1 is next; null where it is not queued. */
  readonly queuePosition: number | null;
  /** The process that runs it; null: nobody. */
  readonly owner: string | null;
}

/** An event with its place in the order of all events. */
export interface StoredEvent {
  readonly sequence: number;
  readonly event: BuildEvent;
}

/**
 * Where the local engine keeps builds and their events. Every method is one transaction that is on
 * the disk when it returns; several processes may use one store at once.
 */
export interface BuildStore {
  /** Runs `work` as one transaction that nothing else writes in between. */
  atomically<Value>(work: () => Value): Value;
  find(tag: Tag): StoredBuild | undefined;
  findRun(pipelinerun: string): StoredBuild | undefined;
  /** Adds a build without any event; throws where tag or pipelinerun exist. */
  insert(asked: NewBuild): void;
  /** Puts a build at the end of the queue as attempt `attempt`, as asked now. */
  enqueue(asked: NewBuild, attempt: number): void;
  /** Appends what happened in an attempt, `at` or, where that was later, when the last event was; what was told before (by id) is left out. */
  append(tag: Tag, attempt: number, at: string, changes: readonly NumberedChange[]): void;
  /** Events of a build after a place in the order (0: all), in order. */
  events(tag: Tag, after: number): readonly StoredEvent[];
  /** Queued and running builds: running ones first, then those that wait the longest. */
  open(): readonly StoredBuild[];
  setOwner(tag: Tag, owner: string | null): void;
  /** A page of builds, newest first, and the cursor of the next one. */
  list(query: BuildQuery): {
    readonly builds: readonly StoredBuild[];
    readonly next: string | null;
  };
  /**
   * Forgets finished builds whose last event is older than so many days, with their events, and only after as many days on which this
   * was called: a clock that jumps forgets nothing at once.
   */
  removeOld(now: Date, days: number): void;
  /** Calls `listener` when another process may have written; the function returned ends that. */
  watch(listener: () => void): () => void;
  close(): void;
}
