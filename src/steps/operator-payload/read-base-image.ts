import { z } from 'zod';
import { FailureError } from '../../builds/failure.ts';
import { parseDigest } from '../../plan/names.ts';
import { type ImageManifest, parseManifest } from '../oci-layout.ts';
import type { StepContext, StoredManifest } from '../step.ts';

/** An image as its registry describes it; its layers are not read. */
export interface BaseImage {
  readonly manifest: ImageManifest;
  readonly config: Buffer;
}

const Index = z.object({
  manifests: z.array(
    z.object({
      digest: z.string(),
      platform: z.object({ os: z.string(), architecture: z.string() }).optional(),
    }),
  ),
});

/** Reads manifest and config of `repository@digest`; of an index, those of the lock's platform. */
export async function readBaseImage(
  reference: string,
  { plan, registry }: Pick<StepContext, 'plan' | 'registry'>,
): Promise<BaseImage> {
  const repository = reference.replace(/@.*$/, '');
  const stored = await demandManifest(reference, registry);
  const platform = plan.lock.platforms[0] ?? '';
  const single = stored.mediaType.match(/index|manifest\.list/)
    ? await demandManifest(`${repository}@${ofPlatform(stored, platform, reference)}`, registry)
    : stored;
  const manifest = parseManifest(single.bytes);
  const config = await registry.blob(repository, manifest.config.digest, configLimit);
  return { manifest, config };
}

const configLimit = 4 * 1024 * 1024;

function ofPlatform(index: StoredManifest, platform: string, reference: string): string {
  const { manifests } = Index.parse(JSON.parse(index.bytes.toString()));
  const found = manifests.find(
    (one) => `${one.platform?.os}/${one.platform?.architecture}` === platform,
  );
  if (found !== undefined && parseDigest(found.digest) !== undefined) return found.digest;
  throw new FailureError({
    reason: 'base-image-not-found',
    detail: `${reference} has no image for ${platform}.`,
    hint: 'Build on a machine of a platform that the image has, or set `platforms` in the configuration.',
    about: { image: reference, platform },
  });
}

async function demandManifest(reference: string, registry: StepContext['registry']) {
  const manifest = await registry.manifest(reference);
  if (manifest !== undefined) return manifest;
  throw new FailureError({
    reason: 'registry-unavailable',
    detail: `The operator image is not in the registry any more: ${reference}.`,
    hint: 'Someone removed it. Run the build again; what is still there is reused.',
    about: { image: reference },
  });
}
