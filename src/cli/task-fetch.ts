import { rename, writeFile } from 'node:fs/promises';
import { openBaseStore } from '../adapters/builder/base-store.ts';
import { packBases, unpackBases } from '../adapters/builder/packed-bases.ts';
import { privilege } from '../adapters/processes/sandbox.ts';
import { createFolderRegistry, type FolderRegistry } from '../adapters/registry/folder-registry.ts';
import type { StepTurn } from '../steps/run-steps.ts';
import { taskName } from '../steps/task-outcome.ts';
import type { TaskPlan } from '../steps/task-plan.ts';
import { basePackReference, ownBasePack } from '../steps/unit/base-pack.ts';
import { fetchUnit } from '../steps/unit/fetch-unit.ts';
import { basesFolder, registryFolder, unitFolders } from '../steps/unit/unit-folder.ts';
import type { PlatformBase } from '../steps/unit/unit-reads.ts';
import { exitOfEarlierTry, openTaskPlan, type TaskContext } from './task-context.ts';
import { planFile, stepsOf } from './unit-steps.ts';

/**
 * The first container of a unit, in which no code of a ref runs: brings what its steps read. Where that fails it tells so and ends well: only then is the last container started, which keeps
 * what was told.
 */
export async function fetchTask(context: TaskContext): Promise<number> {
  const { input, registry, work, signal, output } = context;
  if ((await exitOfEarlierTry(context, taskName(input.unit))) !== undefined) return 0;
  const folders = unitFolders(input.pod);
  const taskPlan = await openTaskPlan(context);
  const steps = stepsOf(taskPlan, input.unit);
  const first = steps[0].id;
  await context.runSteps(
    [first],
    async (_step, turn) => {
      const folder = createFolderRegistry({ writes: registryFolder(folders.in) });
      await fetchUnit(steps, {
        ...{ plan: taskPlan.plan, registry, folder, workdir: work, rebuild: input.rebuild, signal },
        bringBases: (bases) => bringBases(bases, folder, taskPlan, turn, context),
        ...{ log: turn.log, progress: turn.progress },
      });
      await writeWhole(planFile(folders), JSON.stringify(taskPlan));
      return { output: null };
    },
    // That it has brought everything is no verdict on the step.
    { tell: (message) => message.kind !== 'step-finished' && output.tell(message) },
  );
  return 0;
}

/** Unpacks the base images that an earlier pod packed, or pulls them. */
async function bringBases(
  bases: readonly PlatformBase[],
  fetched: FolderRegistry,
  taskPlan: TaskPlan,
  { log }: StepTurn,
  { input, configuration, registry, persist, work, signal }: TaskContext,
): Promise<void> {
  if (bases.length === 0) return;
  const folder = basesFolder(unitFolders(input.pod));
  const means = { registry, privilege: privilege(), workdir: work, log, signal };
  const reference = basePackReference(bases, taskPlan.plan);
  if (await unpackBases(reference, folder, means))
    return log(`base images are those of ${reference}`);
  const store = await openBaseStore(folder, configuration, privilege(), persist);
  for (const { reference: base, platform } of bases)
    await (await store.pull(base, platform, log, signal)).release();
  if (ownBasePack(input.unit, taskPlan) === reference)
    await packBases(folder, reference, { ...means, registry: fetched });
}

async function writeWhole(file: string, text: string): Promise<void> {
  await writeFile(`${file}.part`, text);
  await rename(`${file}.part`, file);
}
