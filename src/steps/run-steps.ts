import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { diskFull } from '../builds/disk-full.ts';
import { describeRetry, type Retry } from '../builds/event.ts';
import { describeFailure, type Failure, FailureError, reasons } from '../builds/failure.ts';
import type { StepOutput, StepOutputs } from '../plan/plan.ts';
import type { StepMessage } from './step-message.ts';

/** One step as its process runs it. */
export interface StepTurn {
  readonly outputs: StepOutputs;
  /** An empty folder of its own. */
  readonly workdir: string;
  log(text: string): void;
  progress(text: string): void;
  /** Something outside is asked again. */
  retrying(retry: Retry): void;
}

export interface RunStepsOptions {
  /** What was made before. */
  readonly outputs: StepOutputs;
  /** Folder for the folders of steps. */
  readonly workdir: string;
  /** Where the log of a step goes. */
  readonly openLog: (step: string) => { line(text: string): void; close(): void };
  readonly tell: (message: StepMessage) => void;
  readonly run: (
    step: string,
    turn: StepTurn,
  ) => Promise<{
    readonly output: StepOutput | null;
    readonly plan?: string;
    readonly held?: readonly string[];
    readonly seeded?: readonly string[];
  }>;
  /** Aborted when the process has to end: a step that throws then has no verdict. */
  readonly signal: AbortSignal;
  /** So many of the first steps do not need each other, and only wait for the registry: they run at once. */
  readonly atOnce?: number;
}

/** A registry answers many small questions at once as quickly as one. */
const questionsAtOnce = 8;

/**
 * Runs steps one after the other until one fails, but for those at the beginning that may run at once; each sees what the ones before it
 * made. Tells what becomes of them, and gives the exit code of the process.
 */
export async function runSteps(
  steps: readonly string[],
  options: RunStepsOptions,
): Promise<number> {
  const { atOnce = 0 } = options;
  const outputs: Record<string, StepOutput> = { ...options.outputs };
  const runToVerdict = async (step: string): Promise<number> => {
    const outcome = await runOne(step, outputs, options);
    if (typeof outcome === 'number') return outcome;
    if (outcome.output !== null) outputs[step] = outcome.output;
    options.tell({ kind: 'step-finished', step, ...outcome });
    return 0;
  };
  const first = await pLimit(questionsAtOnce).map(steps.slice(0, atOnce), runToVerdict);
  const failed = first.find((code) => code !== 0);
  if (failed !== undefined) return failed;
  for (const step of steps.slice(atOnce)) {
    const code = await runToVerdict(step);
    if (code !== 0) return code;
  }
  return 0;
}

async function runOne(step: string, outputs: StepOutputs, options: RunStepsOptions) {
  const { tell, signal } = options;
  const workdir = join(options.workdir, step.replaceAll('/', '~'));
  const log = options.openLog(step);
  tell({ kind: 'step-started', step });
  const progress = (text: string) => {
    log.line(text);
    tell({ kind: 'step-progress', step, text });
  };
  const retrying = (retry: Retry) => {
    log.line(describeRetry(retry));
    tell({ kind: 'step-retrying', step, ...retry });
  };
  try {
    await mkdir(workdir, { recursive: true });
    return await options.run(step, {
      ...{ outputs, workdir },
      log: (text) => log.line(text),
      ...{ progress, retrying },
    });
  } catch (error) {
    const failures = failuresOf(error, options.workdir);
    if (!(error instanceof FailureError)) log.line(stackOf(error));
    for (const failure of failures) log.line(describeFailure(failure));
    if (!signal.aborted) tell({ kind: 'step-failed', step, failures });
    return exitCodeOf(failures);
  } finally {
    log.close();
    await rm(workdir, { recursive: true, force: true });
  }
}

/** What an error of a step means: its failures, a full disk, or a bug. */
export function failuresOf(error: unknown, workdir: string): readonly [Failure, ...Failure[]] {
  if (error instanceof FailureError) return error.failures;
  return [
    diskFull(error, workdir) ?? {
      reason: 'internal-error',
      detail: `The step ended with an error that nobody expected: ${error instanceof Error ? error.message : String(error)}.`,
      hint: 'This is a bug in Tributary: please report it with the log of the step.',
    },
  ];
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function exitCodeOf(failures: readonly [Failure, ...Failure[]]): number {
  return reasons[failures[0].reason].exit;
}
