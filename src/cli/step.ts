import { AsyncLocalStorage } from 'node:async_hooks';
import { readFile, writeFile } from 'node:fs/promises';
import { createBuilder } from '../adapters/builder/buildah.ts';
import { createConfined } from '../adapters/builder/confined.ts';
import { createMake } from '../adapters/builder/make.ts';
import { toolSet } from '../adapters/builder/tool-set.ts';
import { createPersist, type Persist, patienceOfSteps } from '../adapters/persist.ts';
import { createRegistry } from '../adapters/registry/registry.ts';
import { createMakeAlone } from '../adapters/storage/key-lock.ts';
import { createMemory } from '../adapters/storage/memory.ts';
import type { Build } from '../builds/build.ts';
import { describeFailure, reasons } from '../builds/failure.ts';
import { type LoadedConfiguration, loadConfiguration } from '../config/load-config.ts';
import type { Plan, StepOutputs } from '../plan/plan.ts';
import { LogFile, logFile } from '../steps/log-file.ts';
import { failuresOf, runSteps, type StepTurn } from '../steps/run-steps.ts';
import { runStepProgram } from '../steps/step-programs.ts';
import { demandSameTools } from './demand-same-tools.ts';
import { lookUp } from './look-up.ts';
import { readAsked } from './read-asked.ts';
import { parseOptions, type StepOptions, usage } from './step-options.ts';
import { tell } from './tell.ts';
import { waitForUnits } from './wait-for-units.ts';

/**
 * `tributary step`: the program that every engine runs. Runs the named steps in order, tells what becomes of
 * them, and gives the exit code: 0, or that of the first failure's reason.
 */
export async function step(args: readonly string[]): Promise<number> {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  if (!args.includes('--wait')) return runOnce(args, stop.signal);
  const common = args.filter((arg) => arg !== '--wait');
  const messages = Number(common[common.indexOf('--messages') + 1]);
  if (!common.includes('--messages') || !Number.isInteger(messages)) {
    process.stderr.write(`--wait needs --messages FD\n${usage}`);
    return 2;
  }
  return waitForUnits(messages, (unit) => runOnce([...common, ...unit], stop.signal));
}

async function runOnce(args: readonly string[], signal: AbortSignal): Promise<number> {
  const options = parseOptions(args);
  if (typeof options === 'string') {
    process.stderr.write(`${options}\n${usage}`);
    return 2;
  }
  try {
    const configuration = await loadConfiguration(options.config, process.env);
    const logBytes = configuration.limits['log-mib'] * 2 ** 20;
    const { run, builder } = await openSteps(options, configuration, signal);
    const exit = await runSteps(options.steps, {
      outputs: await readJson<StepOutputs>(options.outputs, {}),
      workdir: options.workdir,
      openLog: (id) => openLog(options.logs, id, logBytes),
      tell: (message) => tell(options.messages, message),
      run,
      signal,
      atOnce: options.atOnce,
    });
    // Steps are over, and told to be: nobody waits for what is left to do.
    const log = (text: string) => void process.stdout.write(`${text}\n`);
    await builder.close({ keepCaches: exit === 0, log });
    return exit;
  } catch (error) {
    // Before the first step began: a file that is missing, a configuration that cannot be read.
    const failures = failuresOf(error, options.workdir);
    if (failures[0].reason === 'internal-error') throw error;
    for (const failure of failures) process.stderr.write(`${describeFailure(failure)}\n`);
    const [id] = options.steps;
    tell(options.messages, { kind: 'step-failed', step: id, failures });
    return reasons[failures[0].reason].exit;
  }
}

/** Reads what all steps share, and gives the function that runs one. */
async function openSteps(
  options: StepOptions,
  configuration: LoadedConfiguration,
  signal: AbortSignal,
) {
  // Whatever is tried again is tried for the step that asked for it.
  const turns = new AsyncLocalStorage<StepTurn>();
  const persist = createPersist(patienceOfSteps(configuration.limits['retry-seconds']), {
    signal,
    listener: {
      retrying: (retry) => turns.getStore()?.retrying(retry),
      recovered: (what) => turns.getStore()?.progress(`${what} answers again`),
    },
  });
  const inTurn =
    <Made>(run: (id: string, turn: StepTurn) => Promise<Made>) =>
    (id: string, turn: StepTurn) =>
      turns.run(turn, () => run(id, turn));
  const tools = await openTools(configuration, options.workdir, { signal, persist });
  const more = { configuration, ...tools, rebuild: options.rebuild, signal };
  const { lock, product, tag } = options;
  const build = options.build === undefined ? undefined : await readJson<Build>(options.build);
  const record = build && options.logs ? { record: { build, logs: options.logs } } : {};
  if (lock !== undefined && product !== undefined) {
    const asked = { lock, product, tag };
    const run = async (id: string, turn: StepTurn) => {
      if (id === 'report') {
        // `prepare` failed: there is no plan.
        const { writeRecord } = await import('../steps/report/run-report.ts');
        const recorded = { ...(await readAsked(asked)), plan: undefined };
        return { output: await writeRecord(recorded, { ...more, ...record, ...turn }) };
      }
      const { prepareHere } = await import('./step-prepare.ts');
      const plan = await prepareHere(await readAsked(asked), { ...more, ...turn, persist });
      await writeFile(options.plan, JSON.stringify(plan));
      return { output: null, plan: options.plan, ...(await lookUp(plan, tools.registry, options)) };
    };
    return { run: inTurn(run), builder: tools.builder };
  }
  const plan = await readJson<Plan>(options.plan);
  const ours = toolSet(tools.builder.tools);
  const run = async (id: string, turn: StepTurn) => {
    const planned = plan.steps.find((candidate) => candidate.id === id);
    if (planned === undefined) throw new Error(`the plan has no step ${id}`);
    if (planned.kind !== 'report') demandSameTools(plan, ours);
    return { output: await runStepProgram(planned, { plan, ...more, ...record, ...turn }) };
  };
  return { run: inTurn(run), builder: tools.builder };
}

async function openTools(
  configuration: LoadedConfiguration,
  folder: string,
  { signal, persist }: { readonly signal: AbortSignal; readonly persist: Persist },
) {
  const { state } = configuration;
  const registry = await createRegistry(configuration, { folder, signal, persist });
  // Seeds spare time: none is worth a long wait.
  const seeds = await createRegistry(configuration, { folder, signal });
  const builder = await createBuilder(configuration, { state, persist, registry: seeds });
  const makeAlone = createMakeAlone(state, signal);
  const make = createMake(configuration);
  const remember = createMemory(state);
  return { registry, builder, confined: createConfined(), make, makeAlone, remember };
}

function openLog(folder: string | undefined, id: string, logBytes: number) {
  if (folder !== undefined) return new LogFile(logFile(folder, id), logBytes);
  return { line: (text: string) => void process.stdout.write(`${text}\n`), close: () => {} };
}

/** Files that the engine wrote: their types are trusted. */
async function readJson<Value>(file: string | undefined, otherwise?: Value): Promise<Value> {
  if (file === undefined && otherwise !== undefined) return otherwise;
  return JSON.parse(await readFile(file ?? '', 'utf8')) as Value;
}
