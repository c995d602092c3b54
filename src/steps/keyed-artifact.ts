import type { Digest, Key } from '../plan/names.ts';
import { type ArtifactContent, writeArtifact } from './artifact.ts';
import { artifactRepository, keyTag, type StepContext } from './step.ts';

/** What a step knows of what its key stands for. */
export interface Keyed {
  readonly key: Key;
  readonly digest: Digest;
  readonly reused: boolean;
}

/** The artifact of a key: found, or made and pushed. */
export function keyedArtifact(
  key: Key,
  context: StepContext,
  make: () => Promise<ArtifactContent>,
): Promise<Keyed> {
  const reference = `${artifactRepository(context.plan)}:${keyTag(key)}`;
  return keyed(key, reference, context, async () => {
    const content = await make();
    return () => writeArtifact(context.registry, context.workdir, reference, content);
  });
}

/** Does the work for a key, and returns how to push it. */
export type Make = () => Promise<() => Promise<Digest>>;

/**
 * Look, make, look again, push. Two builds of one machine that miss the same key at once make it once: the second waits, and
 * looks again. Those of two machines may both make it, and agree: whoever finds the key's reference taken adopts what is
 * there. A rebuild never adopts, but says where its digest differs.
 */
export async function keyed(
  key: Key,
  reference: string,
  context: Pick<StepContext, 'registry' | 'rebuild' | 'makeAlone' | 'progress' | 'log'>,
  make: Make,
): Promise<Keyed> {
  const { registry, rebuild, makeAlone, progress, log } = context;
  const found = await registry.manifest(reference);
  if (found !== undefined && !rebuild) {
    log(`found ${reference} (${found.digest})`);
    return { key, digest: found.digest, reused: true };
  }
  if (rebuild) {
    const digest = await push(reference, await make(), context);
    if (found !== undefined) log(comparison(found.digest, digest));
    return { key, digest, reused: false };
  }
  let waited = false;
  const waiting = () => {
    waited = true;
    progress('waiting for another build that makes the same');
  };
  return makeAlone(reference, waiting, async () => {
    const awaited = waited ? await adopt(key, reference, context) : undefined;
    if (awaited !== undefined) return awaited;
    const pushMade = await make();
    const adopted = await adopt(key, reference, context);
    return adopted ?? { key, digest: await push(reference, pushMade, context), reused: false };
  });
}

/** What another build made meanwhile. */
async function adopt(
  key: Key,
  reference: string,
  { registry, log }: Pick<StepContext, 'registry' | 'log'>,
): Promise<Keyed | undefined> {
  const other = await registry.manifest(reference);
  if (other === undefined) return undefined;
  log(`another build made ${reference} meanwhile: it is used (${other.digest})`);
  return { key, digest: other.digest, reused: true };
}

async function push(
  reference: string,
  pushMade: () => Promise<Digest>,
  { log }: Pick<StepContext, 'log'>,
): Promise<Digest> {
  const digest = await pushMade();
  log(`pushed ${reference} (${digest})`);
  return digest;
}

function comparison(before: Digest, after: Digest): string {
  return before === after
    ? 'rebuilt: the same bytes as before'
    : `rebuilt: NOT the same bytes as before, which were ${before}`;
}
