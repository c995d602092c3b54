import type { Step, StepKind, StepOutput } from '../plan/plan.ts';
import type { StepContext, StepProgram } from './step.ts';

type Programs = { readonly [Kind in StepKind]: () => Promise<StepProgram<Kind>> };

/** The program of each kind of step, loaded when it is its turn: a pod runs one kind. */
const programs: Programs = {
  payload: async () => (await import('./payload/run-payload.ts')).runPayload,
  image: async () => (await import('./image/run-image.ts')).runImage,
  'operator-payload': async () =>
    (await import('./operator-payload/run-operator-payload.ts')).runOperatorPayload,
  manifests: async () => (await import('./manifests/run-manifests.ts')).runManifests,
  makefile: async () => (await import('./makefile/run-makefile.ts')).runMakefile,
  bundle: async () => (await import('./bundle/run-bundle.ts')).runBundle,
  index: async () => (await import('./index/run-index.ts')).runIndex,
  verify: async () => (await import('./verify/run-verify.ts')).runVerify,
  report: async () => (await import('./report/run-report.ts')).runReport,
};

/** Runs the program of a step. */
export async function runStepProgram(step: Step, context: StepContext): Promise<StepOutput> {
  const load = programs[step.kind] as () => Promise<StepProgram<StepKind>>;
  return (await load())(step, context);
}

/** Loads all of them: whoever waits for work has the time. */
export async function loadPrograms(): Promise<void> {
  await Promise.all(Object.values(programs).map((load) => load()));
}
