import { access, readFile } from 'node:fs/promises';
import { createBuilder } from '../adapters/builder/buildah.ts';
import { createConfined } from '../adapters/builder/confined.ts';
import { createFolderRegistry } from '../adapters/registry/folder-registry.ts';
import { createMemory } from '../adapters/storage/memory.ts';
import { runStepProgram } from '../steps/step-programs.ts';
import type { TaskPlan } from '../steps/task-plan.ts';
import { makeAlone } from '../steps/unit/make-alone.ts';
import { basesFolder, registryFolder, unitFolders } from '../steps/unit/unit-folder.ts';
import { demandSameTools } from './demand-same-tools.ts';
import { noMake, type TaskContext } from './task-context.ts';
import { planFile, stepsOf, stepWith } from './unit-steps.ts';

/** The second container of a unit, in whose sandbox code of refs runs: makes its steps by the same programs as everywhere, on a registry that is a folder. */
export async function runTask(context: TaskContext): Promise<number> {
  const { input, configuration, madeBy, signal, work, output } = context;
  const folders = unitFolders(input.pod);
  if (!(await exists(planFile(folders)))) return 0;
  const taskPlan = JSON.parse(await readFile(planFile(folders), 'utf8')) as TaskPlan;
  demandSameTools(taskPlan.plan, madeBy);
  const steps = stepsOf(taskPlan, input.unit);
  const registry = createFolderRegistry({
    reads: registryFolder(folders.in),
    writes: registryFolder(folders.out),
  });
  const bases = basesFolder(folders);
  const builder = await createBuilder(configuration, { state: work, registry, bases });
  const tools = { configuration, registry, builder, confined: createConfined(), makeAlone };
  const remember = createMemory(work);
  const more = { ...tools, remember, make: noMake, rebuild: input.rebuild, signal };
  const exit = await context.runSteps(
    steps.map(({ id }) => id),
    async (id, turn) => ({
      output: await runStepProgram(stepWith(id, steps), { plan: taskPlan.plan, ...more, ...turn }),
    }),
    // What it made is made when it is pushed.
    { tell: (message) => message.kind !== 'step-finished' && output.tell(message) },
  );
  const last = output.openLog((steps.at(-1) ?? steps[0]).id);
  await builder.close({ keepCaches: exit === 0, log: (text) => last.line(text) });
  last.close();
  return exit;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
