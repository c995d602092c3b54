import type { FileTree } from '../plan/file-tree.ts';
import { withFiles } from '../plan/file-tree.ts';
import type { Descriptor, ImageManifest } from './oci-layout.ts';
import { imageManifest, layerFiles } from './registry-content.ts';
import type { Registry } from './step.ts';
import type { TarLimits } from './tar-tree.ts';

/** `host/path` of `host/path:tag` or `host/path@sha256:…`. */
function repositoryOf(reference: string): string {
  return reference.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
}

/** Reads the manifest of an image of one platform, or undefined where there is none. */
export async function readManifest(
  registry: Registry,
  reference: string,
): Promise<ImageManifest | undefined> {
  const stored = await registry.manifest(reference);
  return stored === undefined ? undefined : imageManifest(reference, stored.bytes);
}

const dataLimits: TarLimits = { bytes: 256 * 1024 * 1024, entries: 100_000 };

/** The files of a layer that Tributary packed (data only: no devices, nothing that leads out). */
export async function readLayerFiles(
  registry: Registry,
  repository: string,
  layer: Descriptor,
): Promise<FileTree> {
  const limit = Math.min(layer.size, dataLimits.bytes);
  const packed = await registry.blob(repository, layer.digest, limit);
  return layerFiles(`${repository}@${layer.digest}`, packed, dataLimits);
}

/** The files of an image that holds nothing but data: its layers one over the other. */
export async function readImageFiles(registry: Registry, reference: string): Promise<FileTree> {
  const manifest = await readManifest(registry, reference);
  if (manifest === undefined) throw new Error(`${reference} is gone`);
  const repository = repositoryOf(reference);
  const layers: FileTree[] = [];
  for (const layer of manifest.layers) {
    layers.push(await readLayerFiles(registry, repository, layer));
  }
  return withFiles(new Map(), ...layers);
}
