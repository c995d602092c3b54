import { diskFull } from '../../builds/disk-full.ts';
import type { BuildChange } from '../../builds/event.ts';
import { type Failure, FailureError } from '../../builds/failure.ts';
import { LogFile, logFile } from '../../steps/log-file.ts';
import type { StepMessage } from '../../steps/step-message.ts';
import type { AttemptLog } from './attempt-log.ts';
import type { RunningUnit, StartUnit, Unit, UnitEnd } from './unit.ts';

type Finished = Extract<StepMessage, { kind: 'step-finished' }>;

export interface RunUnitOptions {
  readonly startUnit: StartUnit;
  readonly signal: AbortSignal;
}

/**
 * Runs a unit to its end and tells what becomes of its steps. Every step that began has a verdict
 * afterwards, whatever its process did; unless `signal` ended it, which leaves the verdict to others, or it was killed
 * for the first time (docs/decisions/0011-a-killed-step-is-begun-once-more.md): then the caller begins it again. Throws where
 * something could not be kept: what happened then is not known to anybody.
 */
export async function runUnit(
  unit: Unit,
  log: AttemptLog,
  options: RunUnitOptions,
  asChanges: (message: Finished) => readonly BuildChange[] = asItIs,
): Promise<void> {
  const { signal } = options;
  let again: string | undefined;
  const end = await run(unit, options, (message) => {
    if (signal.aborted || log.isOver(message.step)) return;
    if (saysKilled(message) && log.mayBeginAgain(message.step)) again = message.step;
    else log.tell(...(message.kind === 'step-finished' ? asChanges(message) : [message]));
  });
  if (signal.aborted) return;
  if ('failures' in end) {
    log.tell({ kind: 'step-failed', step: unit.steps[0], failures: end.failures });
    return;
  }
  if (again === undefined && end.signal === 'SIGKILL' && !end.timedOut) {
    const step = unfinished(unit, log);
    if (step !== undefined && log.mayBeginAgain(step)) again = step;
  }
  if (again === undefined) judge(unit, log, end);
  else announce(again, unit, log);
}

/** How the unit ended, or why it did not begin. */
async function run(
  unit: Unit,
  { startUnit, signal }: RunUnitOptions,
  tell: (message: StepMessage) => void,
): Promise<UnitEnd | { readonly failures: readonly Failure[] }> {
  let broken: unknown;
  let running: RunningUnit;
  const kill = () => void running.kill();
  try {
    running = await startUnit(unit, (message) => {
      try {
        tell(message);
      } catch (error) {
        // What cannot be kept did not happen: the step must not go on.
        broken ??= error;
        kill();
      }
    });
  } catch (error) {
    return { failures: failuresOf(error) };
  }
  signal.addEventListener('abort', kill, { once: true });
  if (signal.aborted) kill();
  const end = await running.ended;
  signal.removeEventListener('abort', kill);
  if (broken !== undefined) throw broken;
  return end;
}

function asItIs({ step, output }: Finished): readonly BuildChange[] {
  return [{ kind: 'step-finished', step, output }];
}

function failuresOf(error: unknown): readonly Failure[] {
  if (error instanceof FailureError) return error.failures;
  return [
    diskFull(error) ?? {
      reason: 'internal-error',
      detail: `The engine could not run the step: ${error instanceof Error ? error.message : String(error)}.`,
      hint: 'Look for lack of disk space in the state folder; else this is a bug in Tributary, please report it.',
    },
  ];
}

/** Whether a step tells that a program of it was killed, which says nothing about its code. */
function saysKilled(message: StepMessage): boolean {
  return message.kind === 'step-failed' && message.failures[0]?.reason === 'step-crashed';
}

/** Says to those who watch, and in the log, why a step begins again. */
function announce(step: string, { folders }: Unit, log: AttemptLog): void {
  const text = 'its process was killed: it is begun once more';
  const file = new LogFile(logFile(folders.logs, step), Number.MAX_SAFE_INTEGER);
  file.line(`[${text}]`);
  file.close();
  log.tell({ kind: 'step-progress', step, text });
}

/** The step whose turn it was when its process ended without a word about it. */
function unfinished(unit: Unit, log: AttemptLog): string | undefined {
  if (unit.steps.some((step) => log.failed.has(step))) return undefined;
  return unit.steps.find((candidate) => !log.finished.has(candidate));
}

function judge(unit: Unit, log: AttemptLog, end: UnitEnd): void {
  const step = unfinished(unit, log);
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
  const killed = end.signal === 'SIGKILL';
  // unshare complains that it could not die the same way.
  const lines = end.lastLines.split('\n').filter((line) => !/^(unshare: .*)?$/.test(line));
  const how = end.signal ? `by signal ${end.signal}` : `with exit code ${end.exitCode}`;
  return {
    reason: 'step-crashed',
    detail: `The process of the step ${step} ended ${how} before it had a result${killed ? ', twice: somebody killed it, or the kernel for lack of memory' : ''}.`,
    hint: killed
      ? 'See whether the kernel did it (`dmesg | grep -i oom`), and give the machine more memory or run fewer steps at once (`limits: {steps: 1}` in the configuration); then ask for the build again: what was finished is reused.'
      : 'Ask for the build again: what was finished is reused. If it happens again, look for lack of memory or disk on the machine.',
    ...(lines.length > 0 && { about: { 'last lines': lines } }),
  };
}
