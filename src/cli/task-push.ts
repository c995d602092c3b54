import { createFolderRegistry } from '../adapters/registry/folder-registry.ts';
import { attempt, FailureError } from '../builds/failure.ts';
import type { Step, StepOutput } from '../plan/plan.ts';
import { exitOf, type TaskOutcome, taskName } from '../steps/task-outcome.ts';
import type { TaskPlan } from '../steps/task-plan.ts';
import { ownBasePack, pushBasePack } from '../steps/unit/base-pack.ts';
import { pushMade, pushSeeds, toldOf } from '../steps/unit/push-unit.ts';
import { joinTold, readTold } from '../steps/unit/read-told.ts';
import { registryFolder, unitFolders } from '../steps/unit/unit-folder.ts';
import { exitCodeOf } from './exit-code-of.ts';
import {
  exitOfEarlierTry,
  keepOutcome,
  openTaskPlan,
  type TaskContext,
  toldHere,
} from './task-context.ts';
import { stepsOf, stepWith } from './unit-steps.ts';
import { clearArtifacts, writeResults } from './write-results.ts';

/**
 * The last container of a unit, which has the push secret and believes nothing that `run` left: pushes what was made, keeps what all three containers told, and ends as
 * the unit did.
 */
export async function pushTask(context: TaskContext): Promise<number> {
  const { input, logBytes } = context;
  await clearArtifacts();
  const ended = await exitOfEarlierTry(context, taskName(input.unit));
  if (ended !== undefined) return ended;
  const folders = unitFolders(input.pod);
  const taskPlan = await openTaskPlan(context);
  const steps = stepsOf(taskPlan, input.unit);
  const ids = steps.map(({ id }) => id);
  const reading = { logBytes, believed: false };
  const fetched = await readTold(folders.in, ids, reading);
  const since = fetched.messages[0]?.at;
  const ran = await attempt(() => readTold(folders.out, ids, { ...reading, since }));
  const told = joinTold([fetched, ...(ran.ok ? [ran.value] : [])]);
  const exit = ran.ok
    ? await push(steps, told, taskPlan, { ...context, fetched: fetched.messages.length > 0 })
    : await context.runSteps([steps[0].id], () =>
        Promise.reject(new FailureError(...ran.failures)),
      );
  await keepOutcome(context, taskName(input.unit), [told, await toldHere(context, ids)]);
  return exit;
}

async function push(
  steps: readonly Step[],
  told: TaskOutcome,
  taskPlan: TaskPlan,
  context: TaskContext & { readonly fetched: boolean },
): Promise<number> {
  const { plan } = taskPlan;
  const { input, registry, configuration, work, output, fetched } = context;
  const made = registryFolder(unitFolders(input.pod).out);
  const limit = configuration.limits.sandbox['disk-mib'] * 2 ** 20;
  const ran = await exitCodeOf('run');
  const pushing = {
    plan,
    registry,
    made,
    limit,
    fetched,
    ran,
    workdir: work,
    rebuild: input.rebuild,
  };
  const outputs = new Map<Step, StepOutput>();
  const worth = worthPushing(steps, told);
  const exit = await context.runSteps(
    worth.map(({ id }) => id),
    async (id, turn) => {
      const step = stepWith(id, steps);
      const made = await pushMade(step, { ...pushing, ...turn });
      outputs.set(step, made);
      return { output: made };
    },
    // They began when they were made.
    { tell: (message) => message.kind !== 'step-started' && output.tell(message) },
  );
  const log = output.openLog((worth.at(-1) ?? steps[0])?.id ?? '');
  const line = (text: string) => log.line(text);
  if (exit === 0 && worth.length === steps.length)
    await pushSeeds(steps, { ...pushing, log: line, progress: line });
  const pack = ownBasePack(input.unit, taskPlan);
  if (pack !== undefined) {
    const fetched = createFolderRegistry({ writes: registryFolder(unitFolders(input.pod).in) });
    await pushBasePack(pack, fetched, { registry, workdir: work, log: line });
  }
  await writeResults(input.results, plan, outputs, line);
  log.close();
  return exit || (exitOf(told) ?? 0);
}

/** Steps run one after the other: after one that failed, or during which the container ended, there is nothing. */
function worthPushing(steps: readonly Step[], told: TaskOutcome): readonly Step[] {
  const end = steps.findIndex(({ id }, index) => {
    const state = toldOf(id, told);
    return state === 'failed' || (state === 'never' && index > 0);
  });
  return end === -1 ? steps : steps.slice(0, end);
}
