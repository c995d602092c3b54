import { z } from 'zod';
import { imageTime } from '../data-image.ts';
import {
  blobOf,
  type Descriptor,
  type ImageManifest,
  type Layer,
  type LayoutContent,
  mediaTypes,
} from '../oci-layout.ts';

const ImageConfig = z.looseObject({
  rootfs: z.looseObject({ diff_ids: z.array(z.string()) }),
  history: z.array(z.unknown()).optional(),
});

/**
 * An image with one layer on top and its config otherwise as it was. The blobs of the layers below stay
 * where they are. An image of Docker's kind becomes one of OCI's, which differs in nothing but the names
 * of media types.
 */
export function addLayer(
  manifest: ImageManifest,
  config: Buffer,
  layer: Layer,
  createdBy: string,
): LayoutContent {
  const before = ImageConfig.parse(JSON.parse(config.toString()));
  // A history must have an entry for each layer: where there is none, none is begun.
  const history = before.history && [
    ...before.history,
    { created: imageTime, created_by: createdBy },
  ];
  const after = {
    ...before,
    rootfs: { ...before.rootfs, diff_ids: [...before.rootfs.diff_ids, layer.diffId] },
    ...(history && { history }),
  };
  return {
    config: blobOf(mediaTypes.config, Buffer.from(JSON.stringify(after))),
    layers: [...manifest.layers.map(asOci), layer.blob],
    ...(manifest.annotations && { annotations: manifest.annotations }),
  };
}

function asOci(layer: Descriptor): Descriptor {
  return { ...layer, mediaType: ociLayers[layer.mediaType] ?? layer.mediaType };
}

// https://github.com/opencontainers/image-spec/blob/main/media-types.md#compatibility-matrix
const ociLayers: Readonly<Record<string, string>> = {
  'application/vnd.docker.image.rootfs.diff.tar': 'application/vnd.oci.image.layer.v1.tar',
  'application/vnd.docker.image.rootfs.diff.tar.gzip': mediaTypes.gzipLayer,
  'application/vnd.docker.image.rootfs.diff.tar.zstd': mediaTypes.zstdLayer,
  'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip':
    'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
};
