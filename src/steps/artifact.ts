import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { FileTree } from '../plan/file-tree.ts';
import type { Digest } from '../plan/names.ts';
import {
  blobOf,
  readBlob,
  readLayout,
  uncompressed,
  writeLayout,
  zstdLayer,
} from './oci-layout.ts';
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
  workdir: string,
  reference: string,
): Promise<Artifact | undefined> {
  if ((await registry.manifest(reference)) === undefined) return undefined;
  return inFolder(workdir, async (folder) => {
    await registry.pullLayout(reference, folder);
    const { digest, manifest } = await readLayout(folder);
    const [layer] = manifest.layers;
    if (manifest.config.mediaType !== configMediaType || layer === undefined) {
      throw new Error(`${reference} is not an artifact of Tributary`);
    }
    const config = await readBlob(folder, manifest.config, configLimit);
    const { kind, metadata } = ArtifactConfig.parse(JSON.parse(config.toString()));
    const packed = await readBlob(folder, layer, generousLimits.bytes);
    const files = await unpackTree(uncompressed(packed, generousLimits.bytes), generousLimits);
    if (!files.ok) throw new Error(`${reference} cannot be unpacked: ${files.failures.join(', ')}`);
    return { digest, kind, metadata, files: files.value };
  });
}

async function inFolder<Value>(workdir: string, work: (folder: string) => Promise<Value>) {
  const parent = await mkdtemp(join(workdir, 'artifact-'));
  try {
    return await work(join(parent, 'layout'));
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}
