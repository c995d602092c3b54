import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { FileTree } from '../plan/file-tree.ts';
import type { Digest } from '../plan/names.ts';
import { blobOf, parseManifest, uncompressed, writeLayout, zstdLayer } from './oci-layout.ts';
import type { Registry } from './step.ts';
import { generousLimits, unpackTree } from './tar-tree.ts';

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
const configMediaType = 'application/vnd.tributary.artifact.v1+json';
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
    await writeLayout(folder, { config: blobOf(configMediaType, config), layers: [blob] });
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
  const { config: described, layers } = parseManifest(stored.bytes);
  const [layer] = layers;
  if (described.mediaType !== configMediaType || layer === undefined) {
    throw new Error(`${reference} is not an artifact of Tributary`);
  }
  const repository = reference.replace(/@sha256:[0-9a-f]{64}$/, '').replace(/:[^/:]+$/, '');
  const [config, packed] = await Promise.all([
    registry.blob(repository, described.digest, configLimit),
    registry.blob(repository, layer.digest, generousLimits.bytes),
  ]);
  const { kind, metadata } = ArtifactConfig.parse(JSON.parse(config.toString()));
  const files = await unpackTree(uncompressed(packed, generousLimits.bytes), generousLimits);
  if (!files.ok) throw new Error(`${reference} cannot be unpacked: ${files.failures.join(', ')}`);
  return { digest: stored.digest, kind, metadata, files: files.value };
}

async function inFolder<Value>(workdir: string, work: (folder: string) => Promise<Value>) {
  const parent = await mkdtemp(join(workdir, 'artifact-'));
  try {
    return await work(join(parent, 'layout'));
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}
