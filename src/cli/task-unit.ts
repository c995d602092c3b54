import { access, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openBaseStore } from '../adapters/builder/base-store.ts';
import { createBuilder } from '../adapters/builder/buildah.ts';
import { createConfined } from '../adapters/builder/confined.ts';
import { privilege } from '../adapters/processes/sandbox.ts';
import { createFolderRegistry } from '../adapters/registry/folder-registry.ts';
import { createMemory } from '../adapters/storage/memory.ts';
import { attempt, FailureError, reasons } from '../builds/failure.ts';
import type { Step, StepOutput } from '../plan/plan.ts';
import { runStepProgram } from '../steps/step-programs.ts';
import { type TaskOutcome, taskName } from '../steps/task-outcome.ts';
import type { TaskPlan } from '../steps/task-plan.ts';
import { fetchUnit } from '../steps/unit/fetch-unit.ts';
import { pushMade, pushSeeds, toldOf } from '../steps/unit/push-unit.ts';
import { joinTold, readTold } from '../steps/unit/read-told.ts';
import {
  basesFolder,
  registryFolder,
  type UnitFolders,
  unitFolders,
} from '../steps/unit/unit-folder.ts';
import { demandSameTools } from './demand-same-tools.ts';
import {
  keepOutcome,
  makeAlone,
  noMake,
  openTaskPlan,
  type TaskContext,
  toldHere,
} from './task-context.ts';
import { clearResults, writeResults } from './write-results.ts';

/**
 * Brings what the steps of the unit read. Where that fails it tells so and ends well: only then is the last container started, which keeps
 * what was told.
 */
export async function fetchTask(context: TaskContext): Promise<number> {
  const { input, registry, configuration, work, signal, output } = context;
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

/** Makes the steps of the unit: the same programs as everywhere, on a registry that is a folder. */
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

/** Pushes what was made, keeps what all three containers told, and ends as the unit did. */
export async function pushTask(context: TaskContext): Promise<number> {
  const { input, logBytes } = context;
  await clearResults(input.results);
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
    ? await push(steps, told, taskPlan, context)
    : await context.runSteps([steps[0].id], () =>
        Promise.reject(new FailureError(...ran.failures)),
      );
  await keepOutcome(context, taskName(input.unit), [told, await toldHere(context, ids)]);
  return exit;
}

async function push(
  steps: readonly Step[],
  told: TaskOutcome,
  { plan }: TaskPlan,
  context: TaskContext,
): Promise<number> {
  const { input, registry, configuration, work, output } = context;
  const made = registryFolder(unitFolders(input.pod).out);
  const limit = configuration.limits.sandbox['disk-mib'] * 2 ** 20;
  const pushing = { plan, registry, made, limit, workdir: work, rebuild: input.rebuild };
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
  await writeResults(input.results, plan, outputs, line);
  log.close();
  return exit || exitOf(told);
}

/** Steps run one after the other: after one that failed, or during which the container ended, there is nothing. */
function worthPushing(steps: readonly Step[], told: TaskOutcome): readonly Step[] {
  const end = steps.findIndex(({ id }, index) => {
    const state = toldOf(id, told);
    return state === 'failed' || (state === 'never' && index > 0);
  });
  return end === -1 ? steps : steps.slice(0, end);
}

function exitOf({ messages }: TaskOutcome): number {
  const failed = messages.find((message) => message.kind === 'step-failed');
  const reason = failed?.kind === 'step-failed' ? failed.failures[0]?.reason : undefined;
  return reason === undefined ? 0 : reasons[reason].exit;
}

function stepsOf({ plan, units }: TaskPlan, unit: string): readonly [Step, ...Step[]] {
  const [first, ...rest] = (units[unit] ?? []).map((id) => stepWith(id, plan.steps));
  if (first === undefined) throw new Error(`the plan has no unit ${unit}`);
  return [first, ...rest];
}

function stepWith(id: string, steps: readonly Step[]): Step {
  const found = steps.find((step) => step.id === id);
  if (found === undefined) throw new Error(`the plan has no step ${id}`);
  return found;
}

/** Written by `fetch` when it has brought everything. */
function planFile(folders: UnitFolders): string {
  return join(folders.in, 'plan.json');
}

async function writeWhole(file: string, text: string): Promise<void> {
  await writeFile(`${file}.part`, text);
  await rename(`${file}.part`, file);
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
