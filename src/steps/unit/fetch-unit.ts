import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { FailureError } from '../../builds/failure.ts';
import type { Plan, Step } from '../../plan/plan.ts';
import { keyReference } from '../key-reference.ts';
import { imageManifest } from '../registry-content.ts';
import { artifactRepository, type Registry, type StoredManifest } from '../step.ts';
import { generousLimits } from '../tar-tree.ts';
import { basesOf, type PlatformBase, readsOf } from './unit-reads.ts';

/** What fetching has at hand. */
export interface FetchContext {
  readonly plan: Plan;
  readonly registry: Registry;
  /** The registry of the container that has no network. */
  readonly folder: Pick<Registry, 'pushLayout'> & {
    putManifest(reference: string, manifest: StoredManifest): Promise<void>;
    putBlob(bytes: Buffer): Promise<void>;
  };
  readonly bringBases: (bases: readonly PlatformBase[]) => Promise<void>;
  readonly workdir: string;
  /** True: hits are not brought. */
  readonly rebuild: boolean;
  readonly signal: AbortSignal;
  log(text: string): void;
  progress(text: string): void;
}

/** Brings everything that steps read from registries to where they can read it without network. */
export async function fetchUnit(steps: readonly Step[], context: FetchContext): Promise<void> {
  const { plan, registry, folder, progress } = context;
  const missing = context.rebuild ? steps : await withoutHits(steps, context);
  const reads = readsOf(missing, plan);
  if (missing.length === 0) return;
  progress(
    `fetching ${reads.artifacts.length} source(s), ${reads.bases.length} base image(s) and what compilers left`,
  );
  const limit = pLimit(4);
  await Promise.all([
    context.bringBases(basesOf(missing, plan)),
    ...reads.artifacts.map((reference) => limit(() => bring(reference, registry, folder))),
    ...reads.seeds.map((reference) => limit(() => bringSeed(reference, context))),
  ]);
}

/** The steps that have to be made; the others are told to whoever makes them. */
async function withoutHits(steps: readonly Step[], { plan, registry, folder }: FetchContext) {
  const looked = await Promise.all(
    steps.map(async (step) => {
      const reference = keyReference(step, plan) ?? '';
      const found = await registry.manifest(reference);
      if (found === undefined) return [step];
      await folder.putManifest(reference, found);
      return [];
    }),
  );
  return looked.flat();
}

/** What is missing is missed by the step that needs it. */
async function bring(
  reference: string,
  registry: Registry,
  folder: FetchContext['folder'],
): Promise<void> {
  const stored = await registry.manifest(reference);
  if (stored === undefined) return;
  const { config, layers } = imageManifest(reference, stored.bytes);
  const repository = reference.slice(0, reference.lastIndexOf(':'));
  for (const { digest, size } of [config, ...layers])
    await folder.putBlob(
      await registry.blob(repository, digest, Math.min(size, generousLimits.bytes)),
    );
  await folder.putManifest(reference, stored);
}

/** Seeds spare time, and that is all. */
async function bringSeed(reference: string, context: FetchContext): Promise<void> {
  const { registry, folder, workdir, signal, log, plan } = context;
  const draft = await mkdtemp(join(workdir, 'seed-'));
  try {
    const found = await registry.manifest(reference);
    if (found === undefined) return;
    await registry.pullLayout(`${artifactRepository(plan)}@${found.digest}`, join(draft, 'layout'));
    await folder.pushLayout(join(draft, 'layout'), reference);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof FailureError)) throw error;
    log(`warning: the seed ${reference} is not used: ${error.failures[0].detail}`);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}
