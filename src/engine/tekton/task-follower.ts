import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskOutcome } from '../../steps/task-outcome.ts';
import { isOver, type TaskView, taskNameOf } from './attempt-view.ts';
import type { Cluster, ClusterTask } from './cluster.ts';
import { FollowedLog } from './followed-log.ts';
import { FollowedPod } from './followed-pod.ts';
import { isOutOfMemory } from './judge-task.ts';

export interface TaskFollowerOptions {
  readonly cluster: Pick<Cluster, 'log' | 'podTrouble'>;
  /** What the task left in the registry; throws where that does not answer. */
  readonly outcome: (task: string) => Promise<TaskOutcome | undefined>;
  /** The steps that it makes: known when the plan is. */
  readonly steps: Promise<readonly string[]>;
  /** Something became known. */
  readonly changed: () => void;
  readonly signal: AbortSignal;
}

/** Milliseconds that are waited for the last lines of a pod, and between looks at what does not answer. */
const patience = 3000;
const pause = 250;
/** Milliseconds that the last container of a task has after Tekton has ended it. */
const lastWord = 10_000;

/** Follows a task from its pod's log while it runs, and reads its outcome when it is over. */
export class TaskFollower {
  readonly logs = new Map<string, FollowedLog>();
  readonly #options: TaskFollowerOptions;
  #task: ClusterTask;
  #pod: FollowedPod;
  #outcome: TaskOutcome | undefined;
  #trouble: string | undefined;
  #final = false;
  #ending: Promise<void> | undefined;

  constructor(task: ClusterTask, options: TaskFollowerOptions) {
    this.#options = options;
    this.#task = task;
    this.#pod = this.#beginPod();
    this.update(task);
  }

  /** The task as the cluster shows it now. */
  update(task: ClusterTask): void {
    if (this.#ending !== undefined) return;
    const other = isOtherPod(this.#task, task);
    this.#task = task;
    if (other) {
      this.#pod.stop();
      if (this.#pod.isFollowed()) for (const log of this.logs.values()) log.add(begunAgain);
      this.#pod = this.#beginPod();
    } else this.#pod.update(task);
    // What is over before anybody looked has its outcome: its pod is asked only where there is none.
    const fresh = isOver(task) && !this.#pod.isFollowed();
    if (!fresh) this.#pod.follow();
    if (isOver(task)) this.#ending = this.#end();
  }

  view(): TaskView {
    return {
      task: this.#task,
      messages: this.#outcome?.messages ?? this.#pod.messages(this.#final),
      final: this.#final,
      trouble: this.#trouble,
      failures: this.#pod.failures(),
      lastLines: (step) => this.logs.get(step)?.tail(20) ?? [],
    };
  }

  /** Whether what its containers printed by now is known, as far as they run. */
  isHeard(): boolean {
    return this.#final || this.#pod.isHeard();
  }

  /** What was kept of the log of a step; undefined where nothing was kept. */
  kept(step: string): string | undefined {
    return this.#outcome?.logs.get(`${step.replaceAll('/', '~')}.log`)?.content.toString('utf8');
  }

  /** The task is gone from the cluster: what is known is all there will be. */
  vanish(): void {
    this.#pod.stop();
    this.#final = true;
    this.#closeLogs(this.#outcome === undefined);
  }

  #beginPod(): FollowedPod {
    const { cluster, steps, changed, signal } = this.#options;
    const log = (step: string, text: string) => this.#log(step).add(text);
    return new FollowedPod(this.#task, { cluster, steps, changed, signal, log });
  }

  #log(step: string): FollowedLog {
    let log = this.logs.get(step);
    if (log === undefined) {
      log = new FollowedLog();
      this.logs.set(step, log);
      this.#options.changed();
    }
    return log;
  }

  async #end(): Promise<void> {
    const { outcome, cluster, signal } = this.#options;
    this.#outcome = await this.#persistently(() => outcome(taskNameOf(this.#task)));
    if (isOutOfMemory(this.view())) await this.#awaitOutcome();
    if (this.#outcome === undefined && !signal.aborted) {
      this.#pod.follow();
      await Promise.race([this.#options.steps, sleep(patience, undefined, { ref: false })]);
      await this.#pod.untilRead(patience);
      const { pod } = this.#task;
      if (pod !== undefined && this.#task.condition?.status === 'False')
        this.#trouble = await this.#persistently(() => cluster.podTrouble(pod));
    }
    if (signal.aborted) return;
    this.#pod.stop();
    this.#final = true;
    if (this.#outcome === undefined) await this.#tellLeftOut();
    this.#closeLogs(this.#outcome === undefined);
    this.#options.changed();
  }

  /** Tekton ends a task for the memory that a container took while its last container still works: that has a while to keep what was told. */
  async #awaitOutcome(): Promise<void> {
    const { outcome, signal } = this.#options;
    const until = performance.now() + lastWord;
    while (this.#outcome === undefined && !signal.aborted && performance.now() < until) {
      await sleep(pause, undefined, { signal }).catch(() => {});
      this.#outcome = await this.#persistently(() => outcome(taskNameOf(this.#task)));
    }
  }

  /** Nobody else will tell what was printed: in the log of the step that was begun last, people look first. */
  async #tellLeftOut(): Promise<void> {
    const [first] = (await Promise.race([this.#options.steps, undefined])) ?? [];
    const begun = this.#pod.messages(true).at(-1)?.step ?? first;
    if (begun === undefined) return;
    for (const text of this.#pod.leftOut()) this.#log(begun).add(text);
  }

  /** What `ask` gives, sooner or later: what is not known now must not be taken for what is not there. */
  async #persistently<Value>(ask: () => Promise<Value>): Promise<Value | undefined> {
    const { signal } = this.#options;
    for (let wait = pause; !signal.aborted; wait = Math.min(wait * 2, patience)) {
      try {
        return await ask();
      } catch {
        await sleep(wait, undefined, { signal }).catch(() => {});
      }
    }
    return undefined;
  }

  #closeLogs(incomplete: boolean): void {
    for (const [step, log] of this.logs) log.close(this.kept(step), incomplete);
  }
}

const begunAgain = '[its pod was lost: it is begun once more]\n';

/** Whether a task has another pod than before: that of a further try, or one that took the place and name of a deleted one. */
function isOtherPod(before: ClusterTask, now: ClusterTask): boolean {
  if (before.retries !== now.retries || before.pod !== now.pod) return true;
  const [was] = before.steps;
  const [is] = now.steps;
  if (was === undefined || is === undefined) return was !== undefined;
  // Of what has ended Tekton tells another beginning than before.
  const again = was.state === 'running' && is.state === 'running' && was.startedAt !== is.startedAt;
  return again || place(is) < place(was);
}

function place({ state }: ClusterTask['steps'][number]): number {
  return ['waiting', 'running', 'terminated'].indexOf(state);
}
