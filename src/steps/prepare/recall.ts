import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { PayloadFacts } from '../../plan/assemble-plan.ts';
import { canonicalHash } from '../../plan/canonical-hash.ts';
import type { Lock, PinnedSource } from '../../plan/lock.ts';
import type { CombinedSource } from '../../resolve/combine-source.ts';
import { readArtifact, writeArtifact } from '../artifact.ts';
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
  { of, from, url, patches, images }: Decisive,
  lock: Lock,
  madeBy: string,
): string {
  const { file } = lock.product;
  const policy = Object.entries(lock.patches).find(([component]) => component === of)?.[1] ?? null;
  const contents = patches.map(([name, content]) => [
    name,
    createHash('sha256').update(content).digest('hex'),
  ]);
  const parts = { of, from, url, patches: contents, images, policy, file, madeBy };
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
  { registry, rebuild }: Pick<PrepareContext, 'registry' | 'rebuild'>,
): Promise<Recalled | undefined> {
  if (rebuild) return undefined;
  const artifact = await readArtifact(registry, reference);
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

/** Keeps what was found out, for every later build of the same. */
export async function keep(
  reference: string,
  { combined, patched, version, payload }: Recalled,
  { registry, workdir }: Pick<PrepareContext, 'registry' | 'workdir'>,
): Promise<void> {
  const { commit, tree: commitTree } = combined;
  const { tree, reports, left } = patched;
  const facts = payload && { ...payload, references: [...payload.references].sort() };
  const metadata = { commit, commitTree, tree, reports, left, version, payload: facts ?? null };
  await writeArtifact(registry, workdir, reference, {
    ...{ kind: 'prepared', metadata, files: new Map() },
  });
}
