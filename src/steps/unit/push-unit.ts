import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { type Failure, FailureError } from '../../builds/failure.ts';
import { compileCacheOf, isOwn, possibleSeeds } from '../../plan/compile-cache.ts';
import type { Digest } from '../../plan/names.ts';
import type { Plan, Step, StepOutput } from '../../plan/plan.ts';
import { keepImage } from '../keep-image.ts';
import { demandKey, repositoryOf } from '../key-reference.ts';
import { keyed } from '../keyed-artifact.ts';
import { imageManifest, unusable } from '../registry-content.ts';
import type { Registry } from '../step.ts';
import type { TaskOutcome } from '../task-outcome.ts';
import { makeAlone } from './make-alone.ts';
import { readMade } from './read-made.ts';

/** What pushing has at hand. */
export interface PushContext {
  readonly plan: Plan;
  readonly registry: Registry;
  /** The registry in a folder that `run` filled: code of a ref may have written there. */
  readonly made: string;
  /** Bytes that one step may have made. */
  readonly limit: number;
  /** Whether `fetch` has told anything. */
  readonly fetched: boolean;
  /** Exit code of `run`, where that is known. */
  readonly ran?: number | undefined;
  readonly workdir: string;
  readonly rebuild: boolean;
  log(text: string): void;
  progress(text: string): void;
}

/** How a step of a unit ended, as far as what was told of it says. */
export type Told = 'failed' | 'begun' | 'never';

/** What was told of a step. */
export function toldOf(step: string, { messages }: Pick<TaskOutcome, 'messages'>): Told {
  const about = messages.filter((message) => message.step === step);
  if (about.some(({ kind }) => kind === 'step-failed')) return 'failed';
  return about.length > 0 ? 'begun' : 'never';
}

/**
 * Pushes what a step made, and reads it back. Where it goes, what it is called and whether another build's is used instead is for the plan and
 * the registry to say; the folder says nothing but bytes. Throws FailureError, also where nothing was made.
 */
export async function pushMade(step: Step, context: PushContext): Promise<StepOutput> {
  const { plan, registry, made, workdir, limit, progress } = context;
  const { key, reference } = demandKey(step, plan);
  const keeping = { ...context, makeAlone };
  const make = async () => {
    const layout = join(await mkdtemp(join(workdir, 'made-')), 'layout');
    if (!(await readMade(made, reference, layout, { limit })))
      throw new FailureError(nothingMade(step.id, context));
    return () => {
      progress('pushing');
      return registry.pushLayout(layout, reference);
    };
  };
  switch (step.kind) {
    case 'image': {
      const output = await keepImage(step, keeping, make);
      if (output.kind !== 'image') throw new Error('an image is no image');
      const tagged = step.final ? [`${repositoryOf(step, plan)}:${plan.tag}`] : [];
      await readBack(
        [`${repositoryOf(step, plan)}@${output.digest}`, ...tagged],
        output.digest,
        registry,
      );
      return output;
    }
    case 'payload':
    case 'manifests': {
      const output = await keyed(key, reference, keeping, make);
      await readBack([`${repositoryOf(step, plan)}@${output.digest}`], output.digest, registry);
      return { kind: step.kind, ...output };
    }
    default:
      throw new Error(`${step.id} is made by no unit`);
  }
}

async function readBack(
  references: readonly string[],
  digest: Digest,
  registry: Registry,
): Promise<void> {
  for (const reference of references) {
    const found = await registry.manifest(reference);
    if (found?.digest !== digest)
      throw unusable(
        reference,
        `it is ${found?.digest ?? 'gone'} and not ${digest}, which was pushed`,
      );
  }
}

/** What is said of a step whose container ended without a word. */
export function nothingMade(
  step: string,
  { fetched, ran }: Pick<PushContext, 'fetched' | 'ran'>,
): Failure {
  if (!fetched) return neverBegun(step);
  const kind = step.split('/')[0] ?? '';
  const task = kind === 'image' ? 'images' : kind;
  const killed = ran === killedByKernel;
  return {
    reason: 'step-crashed',
    detail: killed
      ? `The container that makes ${step} was killed before it had a result, most likely because it used more memory than it may.`
      : `The container that makes ${step} ended before it had a result${ran === undefined ? '' : ` (exit code ${ran})`}.`,
    hint: killed
      ? `Give it more: \`tekton: {tasks: {${task}: {limits: {memory: …}}}}\` in the configuration. Then ask for the build again: what was finished is reused.`
      : 'See what the end of its log and `kubectl describe pod` say; then ask for the build again: what was finished is reused.',
  };
}

function neverBegun(step: string): Failure {
  return {
    reason: 'step-crashed',
    detail: `The containers that make ${step} ended before they began: most likely their node lets them make no user namespace.`,
    hint: 'See `kubectl logs` of the pod, container `step-fetch`, and what builds need of nodes: docs/guides/install-on-a-cluster.md. Then ask for the build again.',
  };
}

/** Exit code of a process that SIGKILL ended: who has no more memory gets it. */
const killedByKernel = 137;

/**
 * Pushes what compilers left, as seeds for every later build: only where all that ran in the container is the product's own. What cannot be kept
 * harms nobody.
 */
export async function pushSeeds(steps: readonly Step[], context: PushContext): Promise<void> {
  const { plan, registry, made, workdir, limit, log } = context;
  if (!isOwn(steps, plan)) return;
  const references = steps.flatMap((step) =>
    step.kind === 'image' && compileCacheOf(step, plan)?.own ? possibleSeeds(step, plan) : [],
  );
  for (const reference of new Set(references)) {
    try {
      const layout = join(await mkdtemp(join(workdir, 'seed-')), 'layout');
      const known = await layersOf(reference, registry);
      if (!(await readMade(made, reference, layout, { limit, known }))) continue;
      await registry.pushLayout(layout, reference);
      log(`kept what was compiled as seed ${reference}`);
    } catch (error) {
      if (!(error instanceof FailureError)) throw error;
      log(`warning: the seed ${reference} is not kept: ${error.failures[0].detail}`);
    }
  }
}

/** A seed grows by a layer on top of those that it has. */
async function layersOf(reference: string, registry: Registry): Promise<ReadonlySet<string>> {
  const found = await registry.manifest(reference);
  if (found === undefined) return new Set();
  return new Set(imageManifest(reference, found.bytes).layers.map(({ digest }) => digest));
}
