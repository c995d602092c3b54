import { FailureError } from '../../builds/failure.ts';
import { ImageIndex, type ImageManifest, manifestLimit } from '../oci-layout.ts';
import { imageManifest, jsonContent } from '../registry-content.ts';
import type { StepContext, StoredManifest } from '../step.ts';

/** An image as its registry describes it; its layers are not read. */
export interface BaseImage {
  readonly manifest: ImageManifest;
  readonly config: Buffer;
}

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
  const manifest = imageManifest(reference, single.bytes);
  const { digest, size } = manifest.config;
  const config = await registry.blob(repository, digest, Math.min(size, manifestLimit));
  return { manifest, config };
}

function ofPlatform(index: StoredManifest, platform: string, reference: string): string {
  const { manifests } = jsonContent(reference, index.bytes, ImageIndex);
  const found = manifests.find(
    (one) => `${one.platform?.os}/${one.platform?.architecture}` === platform,
  );
  if (found !== undefined) return found.digest;
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
