import { rename, writeFile } from 'node:fs/promises';
import { openBaseStore } from '../adapters/builder/base-store.ts';
import { privilege } from '../adapters/processes/sandbox.ts';
import { createFolderRegistry } from '../adapters/registry/folder-registry.ts';
import { taskName } from '../steps/task-outcome.ts';
import { fetchUnit } from '../steps/unit/fetch-unit.ts';
import { basesFolder, registryFolder, unitFolders } from '../steps/unit/unit-folder.ts';
import { exitOfEarlierTry, openTaskPlan, type TaskContext } from './task-context.ts';
import { planFile, stepsOf } from './unit-steps.ts';

/**
 * The first container of a unit, in which no code of a ref runs: brings what its steps read. Where that fails it tells so and ends well: only then is the last container started, which keeps
 * what was told.
 */
export async function fetchTask(context: TaskContext): Promise<number> {
  const { input, registry, configuration, work, signal, output } = context;
  if ((await exitOfEarlierTry(context, taskName(input.unit))) !== undefined) return 0;
  const folders = unitFolders(input.pod);
  const taskPlan = await openTaskPlan(context);
  const steps = stepsOf(taskPlan, input.unit);
  const first = steps[0].id;
  await context.runSteps(
    [first],
    async (_step, turn) => {
      const bases = await openBaseStore(
        basesFolder(folders),
        configuration,
        privilege(),
        context.persist,
      );
      await fetchUnit(steps, {
        ...{ plan: taskPlan.plan, registry, workdir: work, rebuild: input.rebuild, signal },
        folder: createFolderRegistry({ writes: registryFolder(folders.in) }),
        pullBase: async (reference, platform) => {
          const held = await bases.pull(reference, platform, turn.log, signal);
          await held.release();
        },
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

async function writeWhole(file: string, text: string): Promise<void> {
  await writeFile(`${file}.part`, text);
  await rename(`${file}.part`, file);
}
