import { z } from 'zod';
import type { Digest } from '../../plan/names.ts';
import { imageTime } from '../data-image.ts';
import { blobOf, type Layer, readBlob, readLayout, writeLayout } from '../oci-layout.ts';
import type { Registry } from '../step.ts';

const ImageConfig = z.looseObject({
  config: z.looseObject({ Labels: z.record(z.string(), z.string()).nullish() }).default({}),
  rootfs: z.looseObject({ diff_ids: z.array(z.string()) }),
  history: z.array(z.looseObject({})).default([]),
});

/**
 * The catalog is read at each start: a cache made beforehand would have to be made by the very opm of the
 * base, and with --cache-dir opm refuses to start without one unless told not to.
 */
const command = ['serve', '/configs', '--cache-dir=/tmp/cache', '--cache-enforce-integrity=false'];

/** Makes the layout of an image that serves a catalog by itself: an opm image with one data layer on top. */
export async function writeOpmImage(
  registry: Registry,
  base: string,
  folder: string,
  labels: Readonly<Record<string, string>>,
  layer: Layer,
): Promise<Digest> {
  await registry.pullLayout(base, folder);
  const { manifest } = await readLayout(folder);
  const config = ImageConfig.parse(
    JSON.parse((await readBlob(folder, manifest.config, 4 * 1024 * 1024)).toString()),
  );
  const edited = {
    ...config,
    created: imageTime,
    config: {
      ...config.config,
      Labels: { ...config.config.Labels, ...labels },
      Entrypoint: ['/bin/opm'],
      Cmd: command,
    },
    rootfs: { ...config.rootfs, diff_ids: [...config.rootfs.diff_ids, layer.diffId] },
    history: [...config.history, { created: imageTime, created_by: 'tributary' }],
  };
  return writeLayout(folder, {
    config: blobOf(manifest.config.mediaType, Buffer.from(JSON.stringify(edited))),
    layers: [...manifest.layers, layer.blob],
  });
}
