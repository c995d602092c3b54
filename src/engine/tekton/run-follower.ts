import { setTimeout as sleep } from 'node:timers/promises';
import { plannedSteps, reportAlone } from '../../builds/planned-steps.ts';
import type { Lock } from '../../plan/lock.ts';
import type { Registry } from '../../steps/step.ts';
import { taskResults } from '../../steps/task-input.ts';
import { outcomeReference, readOutcome } from '../../steps/task-outcome.ts';
import { readTaskPlan } from '../../steps/task-plan.ts';
import { type AttemptView, isOver, type RunPlan, stepsOf, type TaskView } from './attempt-view.ts';
import type { Cluster, ClusterChange, ClusterRun, ClusterTask } from './cluster.ts';
import { askedAnnotation, attemptLabel } from './run-names.ts';
import { TaskFollower } from './task-follower.ts';

export interface RunFollowerOptions {
  readonly cluster: Cluster;
  readonly registry: () => Promise<Registry>;
  readonly lock: Lock;
  /** Something became known. */
  readonly changed: () => void;
}

/** Follows a run and its tasks, or reads what is left of one that is over. */
export class RunFollower {
  readonly #options: RunFollowerOptions;
  readonly #stop = new AbortController();
  readonly #tasks = new Map<string, TaskFollower>();
  readonly #listed = Promise.withResolvers<void>();
  #run: ClusterRun;
  #plan: RunPlan | undefined;
  #planAsked = false;
  readonly #planned = Promise.withResolvers<RunPlan | undefined>();
  /** How far its tasks are known: those that a run had which was over then are all that are left of it. */
  #known: 'nothing' | 'those of a run that goes on' | 'all that are left' = 'nothing';

  constructor(run: ClusterRun, options: RunFollowerOptions) {
    this.#run = run;
    this.#options = options;
    void this.#watch();
  }

  get run(): ClusterRun {
    return this.#run;
  }

  update(run: ClusterRun): void {
    if (isNewer(run, this.#run)) this.#run = run;
  }

  view(): AttemptView {
    const run = this.#run;
    return {
      attempt: attemptOf(run),
      queuedAt: run.annotations[askedAnnotation] ?? run.createdAt,
      run,
      plan: this.#plan,
      tasks: this.#views(),
      complete: this.#isComplete(),
    };
  }

  #isComplete(): boolean {
    if (this.#known === 'nothing') return false;
    if (this.#known === 'all that are left' || !isOver(this.#run)) return true;
    return this.#run.tasks.every((name) => this.#tasks.has(name));
  }

  /** `prepare` is known to its end when its plan is. */
  #views(): readonly TaskView[] {
    return [...this.#tasks.values()].map((one) => {
      const view = one.view();
      const { task, final } = view;
      const unread = task.condition?.status === 'True' && this.#plan === undefined;
      return task.task === 'prepare' && unread ? { ...view, final: false } : { ...view, final };
    });
  }

  /** The follower of the task that makes a step; of two that make the report, the later one. */
  taskOf(step: string): TaskFollower | undefined {
    return [...this.#tasks.values()].findLast((one) =>
      stepsOf(one.view().task, this.#plan).includes(step),
    );
  }

  /** Settles when its tasks are known. */
  get listed(): Promise<void> {
    return this.#listed.promise;
  }

  /** Whether everything is known about what is over, and what runs is followed. */
  isSettled(): boolean {
    const tasks = [...this.#tasks.values()];
    return (
      this.#isComplete() &&
      tasks.every((task) => task.isHeard()) &&
      this.#views().every(({ task, final }) => final || !isOver(task))
    );
  }

  close(): void {
    this.#stop.abort();
    this.#listed.resolve();
    this.#planned.resolve(undefined);
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    for await (const change of this.#options.cluster.watchTasks(this.#run, signal)) {
      this.#apply(change);
      this.#listed.resolve();
      this.#options.changed();
    }
  }

  #apply(change: ClusterChange<ClusterTask>): void {
    if (change.kind === 'put') this.#put(change.item);
    else if (change.kind === 'gone') this.#tasks.get(change.item.name)?.vanish();
    else {
      const names = new Set(change.items.map(({ name }) => name));
      for (const item of change.items) this.#put(item);
      for (const [name, task] of this.#tasks) if (!names.has(name)) task.vanish();
      this.#known = isOver(this.#run) ? 'all that are left' : 'those of a run that goes on';
    }
  }

  #put(task: ClusterTask): void {
    const { cluster, changed } = this.#options;
    const known = this.#tasks.get(task.name);
    if (known !== undefined) known.update(task);
    else {
      const follower = new TaskFollower(task, {
        ...{ cluster, changed, signal: this.#stop.signal },
        outcome: (name) => this.#outcome(name),
        steps: this.#stepsOf(task),
      });
      this.#tasks.set(task.name, follower);
    }
    const plan = task.results[taskResults.plan];
    if (task.task === 'prepare' && typeof plan === 'string') void this.#readPlan(plan);
  }

  async #stepsOf(task: ClusterTask): Promise<readonly string[]> {
    const known = stepsOf(task, undefined);
    return known.length > 0 ? known : stepsOf(task, await this.#planned.promise);
  }

  async #outcome(task: string) {
    const { registry, lock } = this.#options;
    return readOutcome(await registry(), outcomeReference({ lock }, this.#run.uid, task));
  }

  async #readPlan(reference: string): Promise<void> {
    if (this.#planAsked) return;
    this.#planAsked = true;
    while (!this.#stop.signal.aborted && this.#plan === undefined) {
      this.#plan = await this.#tryPlan(reference);
      if (this.#plan === undefined)
        await sleep(1000, undefined, { signal: this.#stop.signal }).catch(() => {});
    }
    this.#planned.resolve(this.#plan);
    this.#options.changed();
  }

  /** Undefined where the registry does not answer; the report alone where it has no such plan any more. */
  async #tryPlan(reference: string): Promise<RunPlan | undefined> {
    try {
      const registry = await this.#options.registry();
      if ((await registry.manifest(reference)) === undefined)
        return { steps: [reportAlone], patches: [], units: {} };
      const { plan, units } = await readTaskPlan(registry, reference);
      return { steps: plannedSteps(plan.steps), patches: plan.patches, units };
    } catch {
      return undefined;
    }
  }
}

/** Number of the attempt that a run is. */
export function attemptOf(run: ClusterRun): number {
  const attempt = Number(run.labels[attemptLabel]);
  return Number.isInteger(attempt) && attempt > 0 ? attempt : 1;
}

/** Whether `known` is no later state than `run`, or than all of them at a moment: states come by several ways. */
export function isNewer(
  run: Pick<ClusterRun, 'resourceVersion'>,
  known: Pick<ClusterRun, 'resourceVersion'>,
): boolean {
  return Number(run.resourceVersion) >= Number(known.resourceVersion);
}
