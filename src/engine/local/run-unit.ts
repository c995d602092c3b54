import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildChange } from '../../builds/event.ts';
import { type Failure, FailureError } from '../../builds/failure.ts';
import type { StepMessage } from '../../steps/step-message.ts';
import type { AttemptLog } from './attempt-log.ts';
import type { StartUnit, Unit, UnitEnd } from './unit.ts';

type Finished = Extract<StepMessage, { kind: 'step-finished' }>;

export interface RunUnitOptions {
  readonly startUnit: StartUnit;
  /** Folder for folders of units. */
  readonly temporary: string;
  readonly removeFolder: (folder: string) => Promise<void>;
  readonly signal: AbortSignal;
  /** Something for the service's own log. */
  readonly report: (text: string, error?: unknown) => void;
}

/**
 * Runs a unit to its end and tells what becomes of its steps. Every step that began has a verdict
 * afterwards, whatever its process did; unless `signal` ended it, which leaves the verdict to others.
 */
export async function runUnit(
  unit: Omit<Unit, 'workdir'>,
  log: AttemptLog,
  options: RunUnitOptions,
  asChanges: (message: Finished) => readonly BuildChange[] = asItIs,
): Promise<void> {
  const { signal } = options;
  const workdir = join(options.temporary, randomUUID());
  try {
    await mkdir(workdir, { recursive: true });
    const end = await run({ ...unit, workdir }, options, (message) => {
      if (signal.aborted || log.isOver(message.step)) return;
      log.tell(...(message.kind === 'step-finished' ? asChanges(message) : [message]));
    });
    if (!signal.aborted) judge(unit, log, end);
  } catch (error) {
    if (!signal.aborted)
      log.tell({ kind: 'step-failed', step: unit.steps[0], failures: failuresOf(error) });
  } finally {
    await options
      .removeFolder(workdir)
      .catch((error) => options.report('cannot remove a folder', error));
  }
}

async function run(
  unit: Unit,
  options: RunUnitOptions,
  tell: (message: StepMessage) => void,
): Promise<UnitEnd> {
  let broken: unknown;
  const running = await options.startUnit(unit, (message) => {
    try {
      tell(message);
    } catch (error) {
      // What cannot be kept did not happen: the step must not go on.
      broken ??= error;
      kill();
    }
  });
  const kill = () => void running.kill();
  options.signal.addEventListener('abort', kill, { once: true });
  if (options.signal.aborted) kill();
  try {
    const end = await running.ended;
    if (broken !== undefined) throw broken;
    return end;
  } finally {
    options.signal.removeEventListener('abort', kill);
  }
}

function asItIs({ step, output }: Finished): readonly BuildChange[] {
  return [{ kind: 'step-finished', step, output }];
}

function failuresOf(error: unknown): readonly Failure[] {
  if (error instanceof FailureError) return error.failures;
  return [
    {
      reason: 'internal-error',
      detail: `The engine could not run the step: ${error instanceof Error ? error.message : String(error)}.`,
      hint: 'Look for lack of disk space in the state folder; else this is a bug in Tributary, please report it.',
    },
  ];
}

/** A process that ended without a word about a step that was its turn. */
function judge(unit: Omit<Unit, 'workdir'>, log: AttemptLog, end: UnitEnd): void {
  if (unit.steps.some((step) => log.failed.has(step))) return;
  const step = unit.steps.find((candidate) => !log.finished.has(candidate));
  if (step === undefined) return;
  log.tell({
    kind: 'step-failed',
    step,
    failures: [end.timedOut ? timeout(step) : crash(step, end)],
  });
}

function timeout(step: string): Failure {
  return {
    reason: 'step-timeout',
    detail: `The step ${step} took longer than it may, and was ended.`,
    hint: 'Look at its log for what it waits for; `limits: {step-minutes: …}` in the configuration allows more time.',
  };
}

function crash(step: string, end: UnitEnd): Failure {
  const how = end.signal ? `by signal ${end.signal}` : `with exit code ${end.exitCode}`;
  return {
    reason: 'step-crashed',
    detail: `The process of the step ${step} ended ${how} before it had a result.`,
    hint: 'Ask for the build again: what was finished is reused. If it happens again, look for lack of memory or disk on the machine.',
    ...(end.lastLines !== '' && { about: { 'last lines': end.lastLines.split('\n') } }),
  };
}
