import { setTimeout as sleep } from 'node:timers/promises';
import type { Failure } from '../../builds/failure.ts';
import { taskPhases } from '../../steps/task-input.ts';
import type { DatedMessage } from '../../steps/task-output.ts';
import { allLines } from './all-lines.ts';
import { isOver } from './attempt-view.ts';
import type { Cluster, ClusterStep, ClusterTask } from './cluster.ts';
import { HeardLines } from './heard-lines.ts';

export interface FollowedPodOptions {
  readonly cluster: Pick<Cluster, 'log'>;
  /** The steps that the task makes: known when the plan is. */
  readonly steps: Promise<readonly string[]>;
  /** A line of the log of a step. */
  readonly log: (step: string, text: string) => void;
  /** Something became known. */
  readonly changed: () => void;
  readonly signal: AbortSignal;
}

/** Milliseconds that a container has to show what it printed before anybody looked. */
const hearing = 300;

/** One pod of a task: what its containers printed so far. */
export class FollowedPod {
  readonly #options: FollowedPodOptions;
  readonly #stop = new AbortController();
  /** In the order of containers. */
  readonly #lines: HeardLines[] = [];
  readonly #followed = new Set<string>();
  /** Of which it is known what they printed by now, as far as they did. */
  readonly #heard = new Set<string>();
  readonly #done = new Set<string>();
  #task: ClusterTask;

  constructor(task: ClusterTask, options: FollowedPodOptions) {
    this.#task = task;
    this.#options = options;
  }

  /** The task as the cluster shows it now. */
  update(task: ClusterTask): void {
    this.#task = task;
  }

  /** Follows the containers that have begun. */
  follow(): void {
    const { pod, steps } = this.#task;
    if (pod === undefined) return;
    for (const [index, step] of steps.entries()) {
      const { container, state } = step;
      if (state === 'waiting' || this.#followed.has(container)) continue;
      this.#followed.add(container);
      setTimeout(() => this.#hear(container, false), hearing).unref();
      void this.#read(pod, step, index);
    }
  }

  isFollowed(): boolean {
    return this.#followed.size > 0;
  }

  /** Whether what its containers printed by now is known, as far as they run. */
  isHeard(): boolean {
    return this.#followed.size === this.#heard.size;
  }

  /**
   * What its containers told. They run one after the other, and so they are heard: what the next one told counts when the one before was read to its
   * end (or, where `all`, will not be), so that everybody hears the same in the same order.
   */
  messages(all: boolean): readonly DatedMessage[] {
    const messages: DatedMessage[] = [];
    for (const [index, { container }] of this.#task.steps.entries()) {
      messages.push(...(this.#lines[index]?.messages ?? []));
      if (!all && this.#followed.has(container) && !this.#done.has(container)) break;
    }
    return messages;
  }

  /** Why its containers ended, where that was before a step could say so. */
  failures(): readonly Failure[] {
    return this.#lines.flatMap(({ failures }) => failures ?? []);
  }

  /** What was printed and is no log of a step. */
  leftOut(): readonly string[] {
    return this.#lines.flatMap((heard) => heard.describeLeftOut() ?? []);
  }

  /** Waits until everything that it printed is read, for so many milliseconds at most. */
  async untilRead(patience: number): Promise<void> {
    const until = performance.now() + patience;
    const { signal } = this.#options;
    while (!signal.aborted && performance.now() < until && this.#done.size < this.#followed.size)
      await sleep(20);
  }

  stop(): void {
    this.#stop.abort();
  }

  async #read(pod: string, { container, name }: ClusterStep, index: number): Promise<void> {
    const { cluster, steps, log, changed } = this.#options;
    const signal = AbortSignal.any([this.#stop.signal, this.#options.signal]);
    const heard = new HeardLines({
      steps: await steps,
      verdicts: isPhase(name) && taskPhases[name].verdicts,
      since: this.#task.startedAt ?? this.#task.createdAt,
      now: () => new Date(),
      log,
    });
    this.#lines[index] = heard;
    const read = (follow: boolean) => cluster.log(pod, container, { follow, signal });
    for await (const line of allLines(read, () => this.#isTerminated(container), signal)) {
      if (heard.take(line)) changed();
      this.#hear(container, false);
    }
    this.#done.add(container);
    this.#hear(container, true);
    changed();
  }

  /** What has ended is known when it is read to its end. */
  #hear(container: string, done: boolean): void {
    if (this.#heard.has(container) || (!done && this.#isTerminated(container))) return;
    this.#heard.add(container);
    this.#options.changed();
  }

  #isTerminated(container: string): boolean {
    const step = this.#task.steps.find((one) => one.container === container);
    return isOver(this.#task) || step?.state === 'terminated';
  }
}

function isPhase(name: string): name is keyof typeof taskPhases {
  return name in taskPhases;
}
