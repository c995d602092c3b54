import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { FailureError } from '../builds/failure.ts';
import { findProductFile, readProduct } from '../config/read-product.ts';
import { planUnits, type Units } from '../plan/plan-units.ts';
import { productDigest } from '../product/load-product.ts';
import { prepareResults } from '../steps/prepare-results.ts';
import type { StepTurn } from '../steps/run-steps.ts';
import { writeTaskPlan } from '../steps/task-plan.ts';
import { lookUp } from './look-up.ts';
import type { Asked } from './read-asked.ts';
import { noScripts, refusingBuilder } from './refusing-builder.ts';
import { prepareHere } from './step-prepare.ts';
import { exitOfEarlierTry, keepOutcome, type TaskContext, toldHere } from './task-context.ts';

/** From the lock to the plan, shared out among the tasks that follow. Runs no code of a ref. */
export async function prepareTask(context: TaskContext): Promise<number> {
  const ended = await exitOfEarlierTry(context, 'prepare');
  if (ended !== undefined) return ended;
  const exit = await context.runSteps(['prepare'], (_step, turn) => prepare(context, turn));
  await keepOutcome(context, 'prepare', [await toldHere(context, ['prepare'])]);
  return exit;
}

async function prepare(context: TaskContext, turn: StepTurn) {
  const { input, registry, configuration, persist, signal } = context;
  const { run, rebuild, results } = input;
  const builder = await refusingBuilder(noScripts);
  const plan = await prepareHere(await readAsked(context), {
    ...{ configuration, registry, builder, persist, signal, rebuild, exports: false },
    ...turn,
  });
  const { held, seeded } = await lookUp(plan, registry, { rebuild });
  const shares = configuration.limits.steps ?? availableParallelism();
  const units = planUnits(plan, { held: new Set(held), seeded: new Set(seeded), shares });
  const reference = await writeTaskPlan(registry, turn.workdir, run, { plan, held, units });
  await writeResults(results, reference, units);
  return { output: null, plan: reference, held, seeded };
}

/** The product file is that of the cluster, and may have changed since the build was asked for. */
async function readAsked({ input, configuration }: TaskContext): Promise<Asked> {
  const { lock, tag } = input;
  const file = findProductFile(input.product, configuration);
  const { product, text } = await readProduct(file ?? 'product.yaml');
  if (productDigest(product) === lock.product.file) return { lock, product, text, tag };
  throw new FailureError({
    reason: 'tools-changed',
    detail: `${text.file} is another one than when this build was asked for.`,
    hint: 'Ask for the build again: it gets a lock of its own.',
  });
}

async function writeResults(folder: string, plan: string, units: Units): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(prepareResults(plan, units)))
    await writeFile(join(folder, name), text);
}
