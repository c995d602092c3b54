import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createNotify } from '../adapters/notify.ts';
import type { Build } from '../builds/build.ts';
import { foldBuild } from '../builds/fold.ts';
import { findProductFile, readProduct } from '../config/read-product.ts';
import { recordedEvents } from '../engine/tekton/attempt-events.ts';
import { viewReported } from '../engine/tekton/reported-view.ts';
import type { StepOutputs } from '../plan/plan.ts';
import { writeRecord } from '../steps/report/run-report.ts';
import {
  outcomeReference,
  readOutcome,
  type TaskOutcome,
  taskName,
} from '../steps/task-outcome.ts';
import { readTaskPlan, type TaskPlan } from '../steps/task-plan.ts';
import { joinTold } from '../steps/unit/read-told.ts';
import { keepOutcome, type TaskContext, toldHere } from './task-context.ts';

/**
 * Keeps the record of a run that did not come to its end, made of what its tasks told. A build that was cancelled has none
 * (docs/decisions/0006-the-record-decides-nothing.md).
 */
export async function reportTask(context: TaskContext): Promise<number> {
  const { reasons } = context.input;
  if (Object.values(reasons).some((reason) => reason.includes('Cancelled'))) return 0;
  const find = async () => ({ ...(await readRun(context)), reasons });
  const { exit, build } = await keepRecord(context, find);
  if (build !== undefined) await tellTargets(build, context);
  await keepOutcome(context, 'report', [await toldHere(context, ['report'])]);
  return exit;
}

/**
 * The same at the end of a run whose last task, `assemble`, has told `last`: all before it went well. Where the record cannot be kept, the task
 * fails, and `report` has its turn.
 */
export async function keepGoodRecord(context: TaskContext, last: TaskOutcome): Promise<number> {
  const tasks = ['prepare', 'payload', 'manifests', 'images', 'assemble'];
  const reasons = Object.fromEntries(tasks.map((task) => [task, 'Succeeded']));
  const { exit, build } = await keepRecord(context, async () => {
    const { plan, outcomes } = await readRun(context);
    return { plan, outcomes: new Map([...outcomes, ['assemble', last]]), reasons };
  });
  if (build !== undefined && exit === 0) await tellTargets(build, context);
  return exit;
}

/** `build`: as its record has it, where that came so far. */
async function keepRecord(context: TaskContext, find: () => Promise<EndedRun>) {
  const { input } = context;
  let build: Build | undefined;
  const exit = await context.runSteps(['report'], async (_step, turn) => {
    const run = await find();
    const { plan: taskPlan } = run;
    const told = joinTold([...run.outcomes.values()]);
    const logs = join(turn.workdir, 'logs');
    await writeLogs(logs, told);
    const product =
      taskPlan?.plan.product ??
      (await readProduct(findProductFile(input.product, context.configuration) ?? '')).product;
    const recorded = { tag: input.tag, lock: input.lock, product, plan: taskPlan?.plan };
    build = buildOf(run, context);
    const output = await writeRecord(recorded, {
      ...{ outputs: outputsOf(told), registry: context.registry },
      ...{ ...turn, record: { build, logs } },
    });
    return { output };
  });
  return { exit, build };
}

/** Milliseconds that targets have to listen: the run lasts until then. */
const patience = 30_000;

/** Tells who wanted to hear of the end: no service need be there for it. */
async function tellTargets(
  build: Build,
  { input, configuration, output, signal }: TaskContext,
): Promise<void> {
  const log = output.openLog('report');
  const notify = createNotify({
    ...{ configuration, environment: process.env, report: (text) => log.line(text) },
    signal: AbortSignal.any([signal, AbortSignal.timeout(patience)]),
  });
  await notify(build, input.build?.notify ?? [], 'finished');
  log.close();
}

interface ReadRun {
  readonly plan: TaskPlan | undefined;
  /** What each task told, by its name. */
  readonly outcomes: ReadonlyMap<string, TaskOutcome>;
}

interface EndedRun extends ReadRun {
  /** How each kind of task ended, as Tekton says. */
  readonly reasons: Readonly<Record<string, string>>;
}

/** What all tasks of the run told, those before others first. */
async function readRun({ input, registry }: TaskContext): Promise<ReadRun> {
  const outcomes = new Map<string, TaskOutcome>();
  const read = async (tasks: readonly string[]) => {
    const found = await Promise.all(
      tasks.map((task) => readOutcome(registry, outcomeReference(input, input.run, task))),
    );
    for (const [index, outcome] of found.entries())
      if (outcome !== undefined) outcomes.set(tasks[index] ?? '', outcome);
  };
  await read(['prepare']);
  const made = outcomes.get('prepare')?.messages.find(({ kind }) => kind === 'step-finished');
  if (made?.kind !== 'step-finished' || made.plan === undefined)
    return { plan: undefined, outcomes };
  const plan = await readTaskPlan(registry, made.plan);
  await read([...Object.keys(plan.units).map(taskName), 'assemble']);
  return { plan, outcomes };
}

async function writeLogs(folder: string, { logs }: TaskOutcome): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, { content }] of logs) await writeFile(join(folder, name), content);
}

function outputsOf({ messages }: TaskOutcome): StepOutputs {
  return Object.fromEntries(
    messages.flatMap((message) =>
      message.kind === 'step-finished' && message.output
        ? [[message.step, message.output] as const]
        : [],
    ),
  );
}

function buildOf({ plan, outcomes, reasons }: EndedRun, { input }: TaskContext): Build {
  const { build } = input;
  if (build === undefined) throw new Error('no build was told');
  const now = new Date().toISOString();
  return foldBuild(build, recordedEvents(viewReported({ build, plan, reasons, outcomes, now })));
}
