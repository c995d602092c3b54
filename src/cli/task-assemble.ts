import { createConfined } from '../adapters/builder/confined.ts';
import { createMemory } from '../adapters/storage/memory.ts';
import { FailureError } from '../builds/failure.ts';
import type { Step, StepOutput } from '../plan/plan.ts';
import { runStepProgram } from '../steps/step-programs.ts';
import { outcomeReference, readOutcome, taskName } from '../steps/task-outcome.ts';
import type { TaskPlan } from '../steps/task-plan.ts';
import { makeAlone } from '../steps/unit/make-alone.ts';
import { refusingBuilder } from './refusing-builder.ts';
import {
  exitOfEarlierTry,
  keepOutcome,
  noMake,
  openTaskPlan,
  type TaskContext,
  toldHere,
} from './task-context.ts';
import { keepGoodRecord } from './task-report.ts';
import { writeResults } from './write-results.ts';

/**
 * Everything that no unit made: what was held is found by its key and tagged, then come operator image, bundle and index, which are data, their
 * proof, and the record. Runs no code of a ref.
 */
export async function assembleTask(context: TaskContext): Promise<number> {
  const { input, registry, configuration, signal } = context;
  const ended = await exitOfEarlierTry(context, 'assemble');
  if (ended !== undefined) return ended;
  const taskPlan = await openTaskPlan(context);
  const { plan } = taskPlan;
  const outputs = await readOutputs(taskPlan, context);
  const { held = [], others = [] } = Object.groupBy(
    plan.steps.filter(({ id, kind }) => kind !== 'report' && !(id in outputs)),
    ({ id }) => (taskPlan.held.includes(id) ? 'held' : 'others'),
  );
  const left = [...held, ...others];
  const builder = await refusingBuilder(goneMeanwhile);
  const tools = { configuration, registry, builder, confined: createConfined(), makeAlone };
  const remember = createMemory(context.work);
  const more = { plan, ...tools, remember, make: noMake, rebuild: input.rebuild, signal };
  const ids = left.map(({ id }) => id);
  const made = new Map<Step, StepOutput>();
  const exit = await context.runSteps(
    ids,
    async (id, turn) => {
      const step = left.find((one) => one.id === id);
      if (step === undefined) throw new Error(`the plan has no step ${id}`);
      const output = await runStepProgram(step, { ...more, ...turn });
      if (!held.includes(step)) made.set(step, output);
      return { output };
    },
    { outputs, atOnce: held.length },
  );
  if (exit === 0) await writeResults(input.results, plan, made, () => {});
  const kept = exit === 0 ? await keepGoodRecord(context, await toldHere(context, ids)) : exit;
  await keepOutcome(context, 'assemble', [await toldHere(context, [...ids, 'report'])]);
  return kept;
}

/** What the units made, as they told it: a build uses the digests of its own steps. */
async function readOutputs(
  { plan, units }: TaskPlan,
  { input, registry }: TaskContext,
): Promise<Record<string, StepOutput>> {
  const outcomes = await Promise.all(
    Object.keys(units).map((unit) =>
      readOutcome(registry, outcomeReference(plan, input.run, taskName(unit))),
    ),
  );
  const messages = outcomes.flatMap((outcome) => outcome?.messages ?? []);
  return Object.fromEntries(
    messages.flatMap((message) =>
      message.kind === 'step-finished' && message.output
        ? [[message.step, message.output] as const]
        : [],
    ),
  );
}

function goneMeanwhile(): FailureError {
  return new FailureError({
    reason: 'registry-unavailable',
    detail: 'Something that the registry held when this build was planned is gone.',
    hint: 'Run the build again: it is made anew. If it keeps vanishing, the registry removes tags: exempt `key-*`.',
  });
}
