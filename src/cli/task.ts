import { forbidCoreDumps } from '../adapters/processes/forbid-core-dumps.ts';
import { describeFailure, reasons } from '../builds/failure.ts';
import { failuresOf } from '../steps/run-steps.ts';
import { parseTaskInput, type TaskInput, taskPhases } from '../steps/task-input.ts';
import { failedLine } from '../steps/task-output.ts';
import { unitFolders } from '../steps/unit/unit-folder.ts';
import { openTask, type TaskContext } from './task-context.ts';
import { writeAll } from './tell.ts';

type Phase = keyof typeof taskPhases;

/** The program of each container, loaded when it is its turn. */
const programs: Readonly<Record<Phase, () => Promise<(context: TaskContext) => Promise<number>>>> =
  {
    prepare: async () => (await import('./task-prepare.ts')).prepareTask,
    fetch: async () => (await import('./task-fetch.ts')).fetchTask,
    run: async () => (await import('./task-run.ts')).runTask,
    push: async () => (await import('./task-push.ts')).pushTask,
    assemble: async () => (await import('./task-assemble.ts')).assembleTask,
    report: async () => (await import('./task-report.ts')).reportTask,
  };

/**
 * `tributary task PHASE`: the program of the containers of a run on a cluster, which are told everything by environment
 * (src/steps/task-input.ts). Gives the exit code: 0, or that of the first failure's reason.
 */
export async function task([name, ...more]: readonly string[]): Promise<number> {
  const phase = (Object.keys(taskPhases) as Phase[]).find((candidate) => candidate === name);
  if (phase === undefined || more.length > 0) {
    process.stderr.write(`tributary task ${Object.keys(taskPhases).join('|')}\n`);
    return 2;
  }
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  try {
    await forbidCoreDumps();
    const input = parseTaskInput(process.env);
    const program = await programs[phase]();
    return await program(await openTask(input, stop.signal, toldBy(phase, input)));
  } catch (error) {
    const failures = failuresOf(error, '/');
    if (failures[0].reason === 'internal-error') throw error;
    // For whoever looks at the pod, and for the service, which has nothing else to tell of it.
    for (const failure of failures) process.stderr.write(`${describeFailure(failure)}\n`);
    writeAll(1, failedLine(failures));
    return reasons[failures[0].reason].exit;
  }
}

/** The containers of a pod but the last tell where that reads it. */
function toldBy(phase: Phase, { pod }: TaskInput): string | undefined {
  const folders = unitFolders(pod);
  if (phase === 'fetch') return folders.in;
  return phase === 'run' ? folders.out : undefined;
}
