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

/**
 * Look, make, look again, push: whoever finds the key's reference taken adopts what is there, so that two
 * builds that miss the same key at once agree. A rebuild never adopts, but says where its digest differs.
 * `make` does the work and returns how to push it.
 */
export async function keyed(
  key: Key,
  reference: string,
  { registry, rebuild, log }: StepContext,
  make: () => Promise<() => Promise<Digest>>,
): Promise<Keyed> {
  const found = await registry.manifest(reference);
  if (found !== undefined && !rebuild) {
    log(`found ${reference} (${found.digest})`);
    return { key, digest: found.digest, reused: true };
  }
  const push = await make();
  const other = rebuild ? undefined : await registry.manifest(reference);
  if (other !== undefined) {
    log(`another build made ${reference} meanwhile: it is used (${other.digest})`);
    return { key, digest: other.digest, reused: true };
  }
  const digest = await push();
  log(`pushed ${reference} (${digest})`);
  if (found !== undefined) log(comparison(found.digest, digest));
  return { key, digest, reused: false };
}

function comparison(before: Digest, after: Digest): string {
  return before === after
    ? 'rebuilt: the same bytes as before'
    : `rebuilt: NOT the same bytes as before, which were ${before}`;
}
