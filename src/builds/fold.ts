import type { Digest, ImageName } from '../plan/names.ts';
import type { StepOutput } from '../plan/plan.ts';
import { attemptName } from './attempt-name.ts';
import type { AskedBuild, Build, BuildState, BuiltImage, StepState, StepStatus } from './build.ts';
import { type BuildChange, type BuildEvent, describeRetry, type PlannedStep } from './event.ts';
import { type Failure, reasons } from './failure.ts';
import { unreachable } from './result.ts';

/**
 * The status of a build: what its events come to. The only place where a status is made; both
 * engines, the UI, the CLI and notifications show what this says. Events come in their order; one
 * whose id was seen before, or which belongs to an attempt that is over, changes nothing.
 */
export function foldBuild(
  asked: AskedBuild,
  events: Iterable<BuildEvent>,
  queuePosition: number | null = null,
): Build {
  const seen = new Set<string>();
  let createdAt: string | undefined;
  let progress = beginning(1);
  for (const event of events) {
    if (seen.has(event.id)) continue;
    seen.add(event.id);
    createdAt ??= event.at;
    if (event.attempt > progress.attempt) progress = beginning(event.attempt);
    if (event.attempt === progress.attempt) apply(progress, event);
  }
  return describe(asked, progress, createdAt ?? new Date(0).toISOString(), queuePosition);
}

/** The state of a build after one more change: what a store keeps to find builds by state. */
export function nextState(state: BuildState, change: BuildChange): BuildState {
  switch (change.kind) {
    case 'queued':
    case 'succeeded':
    case 'failed':
    case 'cancelled':
    case 'expired':
      return change.kind;
    case 'started':
      return 'running';
    case 'planned':
    case 'step-started':
    case 'step-progress':
    case 'step-retrying':
    case 'step-finished':
    case 'step-failed':
    case 'step-skipped':
    case 'cancel-requested':
      return state;
    default:
      return unreachable(change);
  }
}

/** Whether nothing more happens to a build by itself. */
export function isFinished(state: BuildState): boolean {
  return state !== 'queued' && state !== 'running';
}

/** Every build begins with this step, before anyone knows the others. */
const prepare: PlannedStep = { id: 'prepare', kind: 'prepare', needs: [], weight: 5 };

interface Step {
  readonly planned: PlannedStep;
  state: StepState;
  startedAt?: string;
  finishedAt?: string;
  progress?: string;
  retries?: number;
  failures?: readonly Failure[];
  output?: StepOutput;
}

interface Progress {
  readonly attempt: number;
  state: BuildState;
  startedAt: string | null;
  finishedAt: string | null;
  readonly steps: Map<string, Step>;
  patches: Build['patches'];
  /** The first failure of the attempt, and the step it happened in. */
  failure: { readonly failure: Failure; readonly step: string | null } | null;
}

function beginning(attempt: number): Progress {
  return {
    attempt,
    state: 'queued',
    startedAt: null,
    finishedAt: null,
    steps: new Map([[prepare.id, { planned: prepare, state: 'waiting' }]]),
    patches: [],
    failure: null,
  };
}

function apply(progress: Progress, event: BuildEvent): void {
  progress.state = nextState(progress.state, event);
  switch (event.kind) {
    case 'queued':
    case 'cancel-requested':
      return;
    case 'started':
      progress.startedAt = event.at;
      return;
    case 'planned':
      progress.patches = event.patches;
      for (const planned of event.steps) {
        if (!progress.steps.has(planned.id))
          progress.steps.set(planned.id, { planned, state: 'waiting' });
      }
      return;
    case 'succeeded':
    case 'cancelled':
      progress.finishedAt = event.at;
      return;
    case 'failed':
      progress.finishedAt = event.at;
      if (event.failures[0]) progress.failure ??= { failure: event.failures[0], step: null };
      return;
    case 'expired':
      progress.finishedAt ??= event.at;
      return;
    case 'step-started':
    case 'step-progress':
    case 'step-retrying':
    case 'step-finished':
    case 'step-failed':
    case 'step-skipped':
      applyToStep(progress, event);
      return;
    default:
      unreachable(event);
  }
}

type StepEvent = Extract<BuildEvent, { readonly step: string }>;

function applyToStep(progress: Progress, event: StepEvent): void {
  const step = progress.steps.get(event.step);
  // A verdict is the last word: a line that comes late changes nothing.
  if (step === undefined || isOver(step.state)) return;
  switch (event.kind) {
    case 'step-started':
      step.state = 'running';
      step.startedAt = event.at;
      return;
    case 'step-progress':
      step.progress = event.text;
      return;
    case 'step-retrying':
      step.progress = describeRetry(event);
      step.retries = (step.retries ?? 0) + 1;
      return;
    case 'step-finished':
      step.state =
        event.output && 'reused' in event.output && event.output.reused ? 'reused' : 'succeeded';
      step.finishedAt = event.at;
      if (event.output) step.output = event.output;
      return;
    case 'step-failed':
      step.state = 'failed';
      step.finishedAt = event.at;
      step.failures = event.failures;
      // A record that could not be kept is no reason why a build fails.
      if (event.failures[0] && step.planned.kind !== 'report')
        progress.failure ??= { failure: event.failures[0], step: event.step };
      return;
    case 'step-skipped':
      step.state = 'skipped';
      // It may have run until the build was cancelled.
      if (step.startedAt !== undefined) step.finishedAt = event.at;
      return;
    default:
      unreachable(event);
  }
}

function isOver(state: StepState): boolean {
  return state !== 'waiting' && state !== 'running';
}

function describe(
  asked: AskedBuild,
  progress: Progress,
  createdAt: string,
  queuePosition: number | null,
): Build {
  const { lock, product, tag } = asked;
  const at = (name: string) => `${lock.remote.pull}/${name}:${tag}`;
  const steps = [...progress.steps.values()];
  const digestOf = (...ids: readonly string[]) =>
    ids.map((id) => imageOutput(progress.steps.get(id))?.digest).find((digest) => digest) ?? null;
  const verified = steps.find((step) => step.output?.kind === 'verify')?.output;
  return {
    tag,
    pipelinerun: attemptName(asked.pipelinerun, progress.attempt),
    name: lock.name,
    state: progress.state,
    attempt: progress.attempt,
    release: lock.release,
    requester: asked.requester,
    createdAt,
    startedAt: progress.startedAt,
    finishedAt: progress.finishedAt,
    queuePosition: progress.state === 'queued' ? queuePosition : null,
    components: asked.read,
    steps: steps.map(describeStep),
    images: Object.keys(product.images).map((name): BuiltImage => {
      const output = finalImage(progress.steps, name);
      return {
        name,
        image: at(name),
        digest: output?.digest ?? null,
        reused: output?.reused ?? false,
      };
    }),
    bundle: { image: at(product.bundle.image), digest: digestOf('bundle', 'makefile') },
    index: { image: at(product.index.image), digest: digestOf('index') },
    inclusion: verified?.kind === 'verify' ? verified.inclusion : [],
    unpullable: verified?.kind === 'verify' ? verified.unpullable : [],
    patches: progress.patches,
    failure: progress.state === 'failed' ? describeFirstFailure(progress) : null,
  };
}

function describeStep(step: Step): StepStatus {
  const { planned, state, startedAt, finishedAt, failures } = step;
  return {
    id: planned.id,
    kind: planned.kind,
    needs: planned.needs,
    weight: planned.weight,
    state,
    ...(startedAt !== undefined && { startedAt }),
    ...(finishedAt !== undefined && { finishedAt }),
    ...(state === 'running' && step.progress !== undefined && { progress: step.progress }),
    ...(step.retries !== undefined && { retries: step.retries }),
    ...(failures !== undefined && { failures }),
  };
}

/** The image as it ends up under the tag: an operator image is finished only with its payload in it. */
function finalImage(
  steps: ReadonlyMap<string, Step>,
  name: string,
): { readonly digest?: Digest | undefined; readonly reused?: boolean } | undefined {
  const made = steps.get('makefile')?.output;
  if (made?.kind === 'makefile') return { digest: made.images[name as ImageName] };
  const withPayload = steps.get(`operator-payload/${name}`);
  return imageOutput(withPayload ?? steps.get(`image/${name}`));
}

function imageOutput(step: Step | undefined) {
  const output = step?.output;
  if (output === undefined) return undefined;
  return 'image' in output ? output : undefined;
}

function describeFirstFailure({ failure }: Progress): Build['failure'] {
  if (failure === null) return null;
  return { ...failure.failure, owner: reasons[failure.failure.reason].owner, step: failure.step };
}
