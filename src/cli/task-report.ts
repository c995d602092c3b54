import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createNotify } from '../adapters/notify.ts';
import type { Build } from '../builds/build.ts';
import { foldBuild } from '../builds/fold.ts';
import type { DatedChange } from '../builds/recall-build.ts';
import { findProductFile, readProduct } from '../config/read-product.ts';
import type { StepOutputs } from '../plan/plan.ts';
import {
  changesOf,
  concludingChanges,
  numberEvents,
  type RunTold,
} from '../steps/report/changes-told.ts';
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
 * Keeps the record of the run, made of what its tasks told. A build that was cancelled has none
 * (docs/decisions/0006-the-record-decides-nothing.md).
 */
export async function reportTask(context: TaskContext): Promise<number> {
  const { input } = context;
  if (input.reasons.some((reason) => reason.includes('Cancelled'))) return 0;
  let build: Build | undefined;
  const exit = await context.runSteps(['report'], async (_step, turn) => {
    const { plan: taskPlan, told } = await readRun(context);
    const logs = join(turn.workdir, 'logs');
    await writeLogs(logs, told);
    const run = { messages: told.messages, plan: taskPlan?.plan };
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
  if (build !== undefined) await tellTargets(build, context);
  await keepOutcome(context, 'report', [await toldHere(context, ['report'])]);
  return exit;
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
  readonly told: TaskOutcome;
}

/** What all tasks of the run told, those before others first. */
async function readRun({ input, registry }: TaskContext): Promise<ReadRun> {
  const read = async (task: string) =>
    (await readOutcome(registry, outcomeReference(input, input.run, task))) ?? {
      messages: [],
      logs: new Map(),
    };
  const prepared = await read('prepare');
  const made = prepared.messages.find((message) => message.kind === 'step-finished');
  if (made?.kind !== 'step-finished' || made.plan === undefined)
    return { plan: undefined, told: prepared };
  const plan = await readTaskPlan(registry, made.plan);
  const units = joinTold(
    await Promise.all(Object.keys(plan.units).map((unit) => read(taskName(unit)))),
  );
  const inTime = units.messages.toSorted((one, other) => Date.parse(one.at) - Date.parse(other.at));
  const told = joinTold([prepared, { ...units, messages: inTime }, await read('assemble')]);
  return { plan, told };
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

function buildOf(told: RunTold, { input }: TaskContext): Build {
  const { build } = input;
  if (build === undefined) throw new Error('no build was told');
  const now = new Date().toISOString();
  const changes: DatedChange[] = [
    { at: build.createdAt, change: { kind: 'queued' } },
    { at: build.startedAt, change: { kind: 'started' } },
    ...changesOf(told),
    ...concludingChanges(told, now),
  ];
  return foldBuild(build, numberEvents(build.attempt, changes));
}
