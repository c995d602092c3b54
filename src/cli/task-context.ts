import { AsyncLocalStorage } from 'node:async_hooks';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { builderVersion } from '../adapters/builder/buildah.ts';
import { toolSet } from '../adapters/builder/tool-set.ts';
import { createPersist, type Persist, patienceOfSteps } from '../adapters/persist.ts';
import { createRegistry } from '../adapters/registry/registry.ts';
import { FailureError } from '../builds/failure.ts';
import {
  defaultStateFolder,
  type LoadedConfiguration,
  loadConfiguration,
} from '../config/load-config.ts';
import { type RunStepsOptions, runSteps, type StepTurn } from '../steps/run-steps.ts';
import type { Make, Registry } from '../steps/step.ts';
import type { TaskInput } from '../steps/task-input.ts';
import {
  exitOf,
  isFinal,
  outcomeReference,
  readOutcome,
  type TaskOutcome,
  writeOutcome,
} from '../steps/task-outcome.ts';
import { TaskOutput } from '../steps/task-output.ts';
import { readTaskPlan, type TaskPlan } from '../steps/task-plan.ts';
import { joinTold, readTold } from '../steps/unit/read-told.ts';
import { withCredentialsHere } from './credentials-here.ts';
import { demandSameTools } from './demand-same-tools.ts';
import { writeAll } from './tell.ts';

/** What a container of a task has at hand. */
export interface TaskContext {
  readonly input: TaskInput;
  readonly configuration: LoadedConfiguration;
  /** A folder of this container alone. */
  readonly work: string;
  readonly output: TaskOutput;
  readonly outputFolder: string;
  readonly logBytes: number;
  /** What makes plans here, as `Plan.madeBy` names it. */
  readonly madeBy: string;
  readonly persist: Persist;
  readonly registry: Registry;
  readonly signal: AbortSignal;
  /** Runs steps one after the other, and tells of them; gives the exit code. */
  runSteps(
    steps: readonly string[],
    run: RunStepsOptions['run'],
    more?: Partial<Pick<RunStepsOptions, 'outputs' | 'tell' | 'atOnce'>>,
  ): Promise<number>;
}

/**
 * Opens what containers have at hand. `told`: the folder for what it tells, if not one of its own. Of the configuration only the credentials
 * count that were mounted into this container.
 */
export async function openTask(
  input: TaskInput,
  signal: AbortSignal,
  told?: string,
): Promise<TaskContext> {
  const loaded = await loadConfiguration(input.config, process.env);
  const state = defaultStateFolder(process.env);
  const configuration = withCredentialsHere({ ...loaded, state }, input.pushSecret);
  await mkdir(state, { recursive: true });
  const work = await mkdtemp(join(state, 'task-'));
  // Into the one that it knows Tekton writes credentials of the ServiceAccount, as another user.
  process.env['HOME'] = work;
  const outputFolder = told ?? join(work, 'told');
  const logBytes = configuration.limits['log-mib'] * 2 ** 20;
  const print = (text: string) => writeAll(1, text);
  const output = new TaskOutput({ folder: outputFolder, logBytes, print, now: () => new Date() });
  // Whatever is tried again is tried for the step that asked for it.
  const turns = new AsyncLocalStorage<StepTurn>();
  const persist = createPersist(patienceOfSteps(configuration.limits['retry-seconds']), {
    signal,
    listener: {
      retrying: (retry) => turns.getStore()?.retrying(retry),
      recovered: (what) => turns.getStore()?.progress(`${what} answers again`),
    },
  });
  const registry = await createRegistry(configuration, { folder: work, signal, persist });
  return {
    ...{ input, configuration, work, output, outputFolder, logBytes, persist, registry, signal },
    madeBy: toolSet(await builderVersion()),
    runSteps: (steps, run, more = {}) =>
      runSteps(steps, {
        outputs: more.outputs ?? {},
        workdir: work,
        openLog: (step) => output.openLog(step),
        tell: more.tell ?? ((message) => output.tell(message)),
        run: (step, turn) => turns.run(turn, () => run(step, turn)),
        ...{ signal, atOnce: more.atOnce ?? 0 },
      }),
  };
}

/** What the task is to do, made by the same tools. */
export async function openTaskPlan({ input, registry, madeBy }: TaskContext): Promise<TaskPlan> {
  if (input.plan === undefined) throw new Error('no plan was told');
  const taskPlan = await readTaskPlan(registry, input.plan);
  demandSameTools(taskPlan.plan, madeBy);
  return taskPlan;
}

/** What this container told until now. */
export function toldHere(context: TaskContext, steps: readonly string[]): Promise<TaskOutcome> {
  return readTold(context.outputFolder, steps, { logBytes: context.logBytes, believed: true });
}

/** Keeps what is known of the task when its pod is gone. */
export async function keepOutcome(
  context: TaskContext,
  task: string,
  parts: readonly TaskOutcome[],
): Promise<void> {
  const { input, registry, work } = context;
  const reference = outcomeReference(input, input.run, task);
  await writeOutcome(registry, work, reference, joinTold(parts));
}

/**
 * How an earlier try of the task ended, where a further one would end the same: Tekton begins a task again for whatever reason it failed. Undefined: it is for this try
 * to find out.
 */
export async function exitOfEarlierTry(
  { input, registry }: Pick<TaskContext, 'input' | 'registry'>,
  task: string,
): Promise<number | undefined> {
  const earlier = await readOutcome(registry, outcomeReference(input, input.run, task));
  return earlier !== undefined && isFinal(earlier) ? exitOf(earlier) : undefined;
}

/** On a cluster nothing runs with the rights of whoever pushes. */
export const noMake: Make = {
  run: () =>
    Promise.reject(
      new FailureError({
        reason: 'strategy-not-possible',
        detail: 'The strategy `makefile` is not possible on a cluster.',
        hint: 'Ask for `"strategy": "images"`; or build with the local engine.',
      }),
    ),
};
