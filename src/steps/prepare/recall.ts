import { createHash } from 'node:crypto';
import { z } from 'zod';
import { attempt } from '../../builds/failure.ts';
import type { PayloadFacts } from '../../plan/assemble-plan.ts';
import { canonicalHash } from '../../plan/canonical-hash.ts';
import type { Lock, PinnedSource } from '../../plan/lock.ts';
import type { ComponentName } from '../../plan/names.ts';
import type { CombinedSource } from '../../resolve/combine-source.ts';
import { type Artifact, readArtifact, writeArtifact } from '../artifact.ts';
import { artifactRepository } from '../step.ts';
import type { Patched } from './apply-patches.ts';
import type { PrepareContext } from './prepare-context.ts';

/** What was found out of a source, without its files. */
export interface Recalled {
  readonly combined: CombinedSource;
  readonly patched: Pick<Patched, 'tree' | 'reports' | 'left'>;
  /** Nearest version; of the productization repository none. */
  readonly version: string;
  /** What its payload is rendered from; undefined where it has none. */
  readonly payload: PayloadFacts | undefined;
}

/** All that decides what is found out of a source. */
export interface Decisive {
  readonly kind: 'component' | 'product';
  /** Component, or name of the product. */
  readonly of: string;
  readonly from: PinnedSource;
  /** URL of its own repository. */
  readonly url: string;
  /** File name → content. */
  readonly patches: readonly (readonly [name: string, content: Buffer])[];
  /** Images of patch scripts, by digest. */
  readonly images: Readonly<Record<string, string>>;
}

/** `REMOTE/tributary:prepared-…`: where it is kept what `prepare` found out. Another Tributary, product or policy may find something else. */
export function preparedReference(
  { kind, of, from, url, patches, images }: Decisive,
  lock: Lock,
  madeBy: string,
): string {
  const { file } = lock.product;
  const policy = lock.patches[of as ComponentName] ?? null;
  const contents = patches.map(([name, content]) => [
    name,
    createHash('sha256').update(content).digest('hex'),
  ]);
  // Scripts run on a platform, and one digest of an image may stand for several.
  const [platform = null] = lock.platforms;
  const parts = { kind, of, from, url, patches: contents, images, policy, platform, file, madeBy };
  return `${artifactRepository({ lock })}:prepared-${canonicalHash({ version: 1, ...parts })}`;
}

const object = z.string().regex(/^[0-9a-f]{40}$/);
const text = z.string().max(300);

const Kept = z.object({
  commit: object,
  commitTree: object,
  tree: object,
  reports: z.array(
    z.object({
      component: text,
      patch: text,
      outcome: z.enum(['applied', 'contained', 'bypassed']),
      by: z.enum(['tributary', 'dockerfile']),
    }),
  ),
  left: z.array(text),
  version: text,
  payload: z.object({ inputs: object, references: z.array(z.string()) }).nullable(),
});

/** What was found out before, unless everything is to be done anew. Whether it is right, `verify` proves with the files. */
export async function recall(
  reference: string,
  context: PrepareContext,
): Promise<Recalled | undefined> {
  if (context.rebuild) return undefined;
  const artifact = await readKept(reference, context);
  const kept = Kept.safeParse(artifact?.metadata);
  if (!kept.success) return undefined;
  const { commit, commitTree, tree, reports, left, version, payload } = kept.data;
  // The schema says what the types say, but for the brands of strings that it checked.
  return {
    combined: { commit, tree: commitTree },
    patched: { tree, reports, left },
    version,
    payload: payload === null ? undefined : { ...payload, references: new Set(payload.references) },
  } as unknown as Recalled;
}

/** An artifact that spares work: one that is damaged is as good as none. */
export async function readKept(
  reference: string,
  { registry, signal, log }: PrepareContext,
): Promise<Artifact | undefined> {
  // A registry that does not answer is no damage.
  if ((await registry.manifest(reference)) === undefined) return undefined;
  const read = await attempt(() => readArtifact(registry, reference));
  if (read.ok) return read.value;
  signal.throwIfAborted();
  log(`warning: ${reference} is not used: ${read.failures[0].detail}`);
  return undefined;
}

/** Keeps what was found out, for every later build of the same; that it cannot be kept harms nobody. */
export async function keep(
  reference: string,
  { combined, patched, version, payload }: Recalled,
  { registry, workdir, signal, log }: PrepareContext,
): Promise<void> {
  const { commit, tree: commitTree } = combined;
  const { tree, reports, left } = patched;
  const facts = payload && { ...payload, references: [...payload.references].sort() };
  const metadata = { commit, commitTree, tree, reports, left, version, payload: facts ?? null };
  const content = { kind: 'prepared', metadata, files: new Map() };
  const kept = await attempt(() => writeArtifact(registry, workdir, reference, content));
  signal.throwIfAborted();
  if (!kept.ok) log(`warning: ${reference} is not kept: ${kept.failures[0].detail}`);
}
