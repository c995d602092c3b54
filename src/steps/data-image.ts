import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest, ImageName, Key } from '../plan/names.ts';
import { type Keyed, keyed } from './keyed-artifact.ts';
import { blobOf, type Layer, mediaTypes, writeLayout } from './oci-layout.ts';
import { keyTag, type StepContext } from './step.ts';

/** Every image that Tributary itself makes says that it was made then: no clock in images. */
export const imageTime = '1970-01-01T00:00:00Z';

/** Writes an image that holds nothing but data (FROM scratch) as an OCI layout. */
export function writeDataImage(
  folder: string,
  platform: string,
  labels: Readonly<Record<string, string>>,
  layers: readonly Layer[],
): Promise<Digest> {
  const [os, architecture] = platform.split('/');
  const config = {
    created: imageTime,
    architecture,
    os,
    config: { Labels: labels },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map(() => ({ created: imageTime, created_by: 'tributary' })),
  };
  return writeLayout(folder, {
    config: blobOf(mediaTypes.config, Buffer.from(JSON.stringify(config))),
    layers: layers.map((layer) => layer.blob),
  });
}

/** Publishes an image under its key (the one that the key has already, else what `write` makes) and the build's tag. */
export async function publishImage(
  context: StepContext,
  image: ImageName,
  key: Key,
  write: (folder: string) => Promise<unknown>,
): Promise<Keyed & { readonly image: string }> {
  const { registry, plan, workdir } = context;
  const repository = `${plan.lock.remote.push}/${image}`;
  const byKey = `${repository}:${keyTag(key)}`;
  const made = await keyed(key, byKey, context, async () => {
    const folder = join(await mkdtemp(join(workdir, 'image-')), 'layout');
    await write(folder);
    return () => registry.pushLayout(folder, byKey);
  });
  await registry.copy(`${repository}@${made.digest}`, `${repository}:${plan.tag}`);
  return { ...made, image: `${plan.lock.remote.pull}/${image}@${made.digest}` };
}
