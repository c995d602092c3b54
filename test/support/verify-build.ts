import { type Failure, FailureError } from '../../src/builds/failure.ts';
import type { Digest } from '../../src/plan/names.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { runBundle } from '../../src/steps/bundle/run-bundle.ts';
import { runIndex } from '../../src/steps/index/run-index.ts';
import { runVerify } from '../../src/steps/verify/run-verify.ts';
import type { SmallBuild } from './small-build.ts';

/** Makes bundle and index of a build. */
export async function finishBuild(build: SmallBuild): Promise<void> {
  for (const step of build.plan.steps) {
    if (step.kind === 'bundle') build.outputs[step.id] = await runBundle(step, build.context());
    if (step.kind === 'index') build.outputs[step.id] = await runIndex(step, build.context());
  }
}

/** What `verify` says of a finished build. */
export async function verifyBuild(build: SmallBuild) {
  const step = build.plan.steps.find(({ kind }) => kind === 'verify');
  if (step?.kind !== 'verify') throw new Error('no verify in the plan');
  const output = await runVerify(step, build.context());
  if (output.kind !== 'verify') throw new Error('verify gave another output');
  return output;
}

/** Why `verify` fails; throws where it passes, or fails otherwise. */
export async function verifyFailures(build: SmallBuild): Promise<readonly Failure[]> {
  const error = await verifyBuild(build).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof FailureError)) throw error ?? new Error('verify passed');
  const others = error.failures.filter(({ reason }) => reason !== 'not-included');
  if (others.length > 0) throw error;
  return error.failures;
}

/** Changes the plan that every further step gets. */
export function changePlan(build: SmallBuild, changes: Partial<Plan>): void {
  build.plan = { ...build.plan, ...changes };
}

/** Digest of what a step made. */
export function digestOf(build: SmallBuild, id: string): Digest {
  return (build.outputs[id] as { digest: Digest }).digest;
}
