import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { FileTree } from '../plan/file-tree.ts';
import type { Digest } from '../plan/names.ts';
import { blobOf, writeLayout, zstdLayer } from './oci-layout.ts';
import { imageManifest, jsonContent, layerFiles, unusable } from './registry-content.ts';
import type { Registry } from './step.ts';
import { generousLimits } from './tar-tree.ts';

/** What an artifact holds: anything that passes between steps and is no image. */
export interface ArtifactContent {
  /** `source`, `payload`, `plan`, … */
  readonly kind: string;
  /** Small, JSON. */
  readonly metadata: unknown;
  readonly files: FileTree;
}

/** An artifact as it was found. */
export interface Artifact extends ArtifactContent {
  readonly digest: Digest;
}

const ArtifactConfig = z.object({ kind: z.string(), metadata: z.unknown() });
/** Media type of the config of everything in `REMOTE/tributary`. */
export const artifactConfigType = 'application/vnd.tributary.artifact.v1+json';
const configLimit = 4 * 1024 * 1024;

/** Pushes an artifact: a manifest with a JSON config and one tar+zstd layer. The same content has the same digest. */
export async function writeArtifact(
  registry: Registry,
  workdir: string,
  reference: string,
  { kind, metadata, files }: ArtifactContent,
): Promise<Digest> {
  const config = Buffer.from(JSON.stringify({ kind, metadata }));
  if (config.length > configLimit)
    throw new Error(`${reference}: too much metadata for an artifact`);
  return inFolder(workdir, async (folder) => {
    const { blob } = await zstdLayer(files);
    await writeLayout(folder, { config: blobOf(artifactConfigType, config), layers: [blob] });
    return registry.pushLayout(folder, reference);
  });
}

/** The artifact at a reference, or undefined where there is none. */
export async function readArtifact(
  registry: Registry,
  reference: string,
): Promise<Artifact | undefined> {
  const stored = await registry.manifest(reference);
  if (stored === undefined) return undefined;
  const { config: described, layers } = imageManifest(reference, stored.bytes);
  const [layer] = layers;
  if (described.mediaType !== artifactConfigType || layer === undefined || layers.length > 1) {
    throw unusable(reference, 'it is not an artifact of Tributary');
  }
  const repository = reference.replace(/@sha256:[0-9a-f]{64}$/, '').replace(/:[^/:]+$/, '');
  const [config, packed] = await Promise.all([
    registry.blob(repository, described.digest, Math.min(described.size, configLimit)),
    registry.blob(repository, layer.digest, Math.min(layer.size, generousLimits.bytes)),
  ]);
  const { kind, metadata } = jsonContent(reference, config, ArtifactConfig);
  const files = await layerFiles(reference, packed, generousLimits);
  return { digest: stored.digest, kind, metadata, files };
}

async function inFolder<Value>(workdir: string, work: (folder: string) => Promise<Value>) {
  const parent = await mkdtemp(join(workdir, 'artifact-'));
  try {
    return await work(join(parent, 'layout'));
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}
