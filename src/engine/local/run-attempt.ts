import { readFileSync } from 'node:fs';
import type { Build } from '../../builds/build.ts';
import type { BuildChange } from '../../builds/event.ts';
import type { Failure } from '../../builds/failure.ts';
import { plannedSteps, reportAlone } from '../../builds/planned-steps.ts';
import type { Plan, Step } from '../../plan/plan.ts';
import { type AttemptLog, reportStep } from './attempt-log.ts';
import { lookUpFirst, nextUnit } from './next-unit.ts';
import { type RunUnitOptions, runUnit } from './run-unit.ts';
import type { Slot, Slots } from './slots.ts';
import { attemptFolders } from './state-folder.ts';
import type { StoredBuild } from './store.ts';
import type { Unit } from './unit.ts';
import { planFile } from './unit-input.ts';

export interface RunAttemptOptions extends RunUnitOptions {
  readonly state: string;
  readonly slots: Slots;
  /** Place among the builds that run: the oldest is served first. */
  readonly order: number;
  /** The status of the build if `verdict` came now. */
  readonly statusWith: (verdict: Verdict) => Build;
  /** What runs steps now, as `Plan.madeBy` names it. */
  readonly toolSet: () => Promise<string>;
}

/**
 * Runs one attempt of a build from wherever its events say that it is, to its verdict. Aborting
 * `signal` ends its processes and leaves it without a verdict. `outdated`: its plan is gone or was made by another version of
 * Tributary or its tools, so that only a new attempt can go on.
 */
export async function runAttempt(
  build: StoredBuild,
  log: AttemptLog,
  options: RunAttemptOptions,
): Promise<'over' | 'outdated'> {
  if (log.finished.has('prepare') && !(await isOurs(build, options))) return 'outdated';
  const prepared = await preparePlan(build, log, options);
  const plan = prepared?.plan;
  if (options.signal.aborted) return 'over';
  const skipped = prepared === undefined ? [] : await runSteps(prepared, build, log, options);
  if (options.signal.aborted) return 'over';
  if (plan === undefined) log.tell({ kind: 'planned', steps: [reportAlone], patches: [] });
  const decided = verdict(log, skipped);
  await runReport(build, log, options, decided, plan);
  if (!options.signal.aborted) log.tell(decided);
  return 'over';
}

/** Whether the plan of an attempt is there, and made by what would run it now. */
async function isOurs({ asked, attempt }: StoredBuild, options: RunAttemptOptions) {
  const plan = readPlan(planFile(attemptFolders(options.state, asked.tag, attempt).run));
  return plan !== undefined && plan.madeBy === (await options.toolSet());
}

type Verdict = Extract<BuildChange, { kind: 'succeeded' | 'failed' }>;

function verdict(log: AttemptLog, skipped: readonly Step[]): Verdict {
  if (log.failures.length > 0) return failedWith(log.failures);
  return skipped.length > 0 ? failedWith([neverReady(skipped)]) : { kind: 'succeeded' };
}

interface Prepared {
  readonly plan: Plan;
  /** Steps whose result the registry held then; none where it was another process that prepared. */
  readonly held: ReadonlySet<string>;
  /** Groups whose images may be built at once. */
  readonly seeded: ReadonlySet<string>;
}

/** The plan: read where `prepare` was done before, else made. Undefined where that failed (or was ended). */
async function preparePlan(
  build: StoredBuild,
  log: AttemptLog,
  options: RunAttemptOptions,
): Promise<Prepared | undefined> {
  const folders = attemptFolders(options.state, build.asked.tag, build.attempt);
  const file = planFile(folders.run);
  if (log.finished.has('prepare')) {
    const made = readPlan(file);
    return made && { plan: made, held: new Set(), seeded: new Set() };
  }
  if (log.failed.has('prepare')) return undefined;
  const { lock, product, productText, rebuild, tag } = build.asked;
  const input = { kind: 'lock', lock, product, productText } as const;
  let prepared: Prepared | undefined;
  const unit = {
    tag,
    attempt: build.attempt,
    steps: ['prepare'] as [string],
    rebuild,
    input,
    folders,
  };
  await untilOver('prepare', log, options, () =>
    runUnit(unit, log, options, (message) => {
      const plan = readPlan(message.plan ?? file);
      if (plan === undefined)
        return [{ kind: 'step-failed', step: 'prepare', failures: [unreadablePlan] }];
      prepared = { plan, held: new Set(message.held), seeded: new Set(message.seeded) };
      const planned = {
        kind: 'planned',
        steps: plannedSteps(plan.steps),
        patches: plan.patches,
      } as const;
      return [planned, { kind: 'step-finished', step: 'prepare', output: null }];
    }),
  );
  return prepared;
}

/** Runs everything but the report; gives the steps that never began. */
async function runSteps(
  prepared: Prepared,
  build: StoredBuild,
  log: AttemptLog,
  options: RunAttemptOptions,
): Promise<readonly Step[]> {
  const { plan } = prepared;
  await runReadySteps(prepared, build, log, options);
  if (options.signal.aborted) return [];
  const skipped = plan.steps.filter(({ id, kind }) => kind !== 'report' && !log.isOver(id));
  if (skipped.length > 0)
    log.tell(...skipped.map(({ id }) => ({ kind: 'step-skipped', step: id }) as const));
  return skipped;
}

async function runReadySteps(
  { plan, held, seeded }: Prepared,
  build: StoredBuild,
  log: AttemptLog,
  options: RunAttemptOptions,
): Promise<void> {
  const running = new Map<readonly string[], Promise<void>>();
  // The store did not keep what happened: nothing else begins, and the attempt is given up when all that runs has ended.
  const broken: unknown[] = [];
  const begin = (steps: [string, ...string[]], slot: Slot) => {
    const work = runPlanned(
      build,
      lookUpFirst(steps, plan.steps, { done: log.finished, held }),
      log,
      options,
    )
      .catch((error: unknown) => void broken.push(error))
      .finally(() => {
        slot.release();
        running.delete(steps);
      });
    running.set(steps, work);
  };
  const next = () => {
    // After a failure what runs may finish, and nothing else begins.
    if (log.failures.length > 0 || broken.length > 0 || options.signal.aborted) return [];
    const begun = new Set([...running.keys()].flat());
    const { count } = options.slots;
    return nextUnit(plan.steps, { done: log.finished, begun, held, seeded, slots: count });
  };
  for (;;) {
    if (next().length === 0) {
      if (running.size === 0) break;
      await Promise.race(running.values());
      continue;
    }
    const waiting = new AbortController();
    const slot = options.slots.acquire(
      options.order,
      AbortSignal.any([waiting.signal, options.signal]),
    );
    // Something that ends may fail the build, or make a more urgent step ready.
    const got = await Promise.race([slot, ...running.values()]);
    if (got === undefined) waiting.abort();
    const granted = await slot;
    const [first, ...rest] = next();
    if (granted !== undefined && first !== undefined) begin([first, ...rest], granted);
    else granted?.release();
  }
  if (broken.length > 0) throw broken[0];
}

function runPlanned(
  build: StoredBuild,
  work: Pick<Unit, 'steps' | 'atOnce'>,
  log: AttemptLog,
  options: RunAttemptOptions,
): Promise<void> {
  const { tag, rebuild } = build.asked;
  const folders = attemptFolders(options.state, tag, build.attempt);
  const input = plannedInput(folders.run, log);
  return runUnit({ tag, attempt: build.attempt, ...work, rebuild, input, folders }, log, options);
}

/** The report is made of whatever came out, a failure too; without a plan, of what was asked. */
async function runReport(
  build: StoredBuild,
  log: AttemptLog,
  options: RunAttemptOptions,
  verdict: Verdict,
  plan: Plan | undefined,
): Promise<void> {
  if (log.isOver(reportStep)) return;
  const { lock, product, productText, rebuild, tag } = build.asked;
  const folders = attemptFolders(options.state, tag, build.attempt);
  const status = options.statusWith(verdict);
  const input =
    plan === undefined
      ? ({ kind: 'lock', lock, product, productText, build: status } as const)
      : { ...plannedInput(folders.run, log), build: status };
  const unit = {
    tag,
    attempt: build.attempt,
    steps: [reportStep] as [string],
    rebuild,
    input,
    folders,
  };
  await untilOver(reportStep, log, options, () => runUnit(unit, log, options));
}

/** Runs a step that is alone in its unit; where it was killed and has no verdict, once more. */
async function untilOver(
  step: string,
  log: AttemptLog,
  options: RunAttemptOptions,
  work: () => Promise<void>,
): Promise<void> {
  await withSlot(options, async () => {
    do await work();
    while (!log.isOver(step) && !options.signal.aborted);
  });
}

function plannedInput(run: string, log: AttemptLog) {
  const outputs = Object.fromEntries(log.outputs);
  return { kind: 'plan', file: planFile(run), outputs } as const;
}

async function withSlot(options: RunAttemptOptions, work: () => Promise<void>): Promise<void> {
  const slot = await options.slots.acquire(options.order, options.signal);
  if (slot === undefined) return;
  try {
    await work();
  } finally {
    slot.release();
  }
}

function failedWith(failures: readonly Failure[]) {
  return { kind: 'failed', failures } as const;
}

const unreadablePlan: Failure = {
  reason: 'internal-error',
  detail: 'The plan that `prepare` wrote cannot be read.',
  hint: 'Look for lack of disk space in the state folder, then run the build again.',
};

function neverReady(steps: readonly Step[]): Failure {
  return {
    reason: 'internal-error',
    detail: `The plan never lets these steps begin: ${steps.map((step) => step.id).join(', ')}.`,
    hint: 'This is a bug in Tributary: please report it with the plan.',
  };
}

/** The plan as `prepare` wrote it: our own file, so its types are trusted. */
function readPlan(file: string): Plan | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Plan;
  } catch {
    return undefined;
  }
}
