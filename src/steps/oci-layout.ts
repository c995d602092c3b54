import { createHash } from 'node:crypto';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { z } from 'zod';
import type { FileTree } from '../plan/file-tree.ts';
import { type Digest, parseDigest } from '../plan/names.ts';
import { packTree } from './tar-tree.ts';

/**
 * OCI layout folders with exactly one image or artifact
 * (https://github.com/opencontainers/image-spec/blob/main/image-layout.md).
 */

const digest = z
  .string()
  .refine((value) => parseDigest(value) !== undefined, 'must be a sha256 digest')
  .transform((value) => value as Digest);

const Descriptor = z.looseObject({ mediaType: z.string(), digest, size: z.number().int().min(0) });
/** What a manifest says of a blob. */
export type Descriptor = z.infer<typeof Descriptor>;

/** The manifest of one image, of OCI's kind or Docker's (v2, schema 2); they have the same shape. */
export const ImageManifest = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  config: Descriptor,
  layers: z.array(Descriptor),
  annotations: z.record(z.string(), z.string()).optional(),
});
export type ImageManifest = z.infer<typeof ImageManifest>;

/** A list of images for several platforms, of OCI's kind (index) or Docker's (manifest list). */
export const ImageIndex = z.object({
  manifests: z.array(
    z.object({
      digest,
      platform: z.object({ os: z.string(), architecture: z.string() }).optional(),
    }),
  ),
});

/** Media types that we write. */
export const mediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  gzipLayer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  zstdLayer: 'application/vnd.oci.image.layer.v1.tar+zstd',
} as const;

/** A blob to write; without `bytes` it is one that the target repository has already. */
export interface LayoutBlob extends Descriptor {
  readonly bytes?: Buffer;
}

/** A layer, and the digest of its uncompressed archive, which an image's config lists. */
export interface Layer {
  readonly blob: LayoutBlob;
  readonly diffId: Digest;
}

/** The sha256 digest of bytes. */
export function digestOf(bytes: Buffer): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
}

/** Bytes as a blob of a layout. */
export function blobOf(mediaType: string, bytes: Buffer): LayoutBlob {
  return { mediaType, digest: digestOf(bytes), size: bytes.length, bytes };
}

/** The tree as an image layer; the same tree gives the same bytes. */
export async function gzipLayer(tree: FileTree): Promise<Layer> {
  const archive = await packTree(tree);
  const bytes = gzipSync(archive, { level: 9 });
  bytes[gzipSystemByte] = gzipUnknownSystem;
  return { blob: blobOf(mediaTypes.gzipLayer, bytes), diffId: digestOf(archive) };
}

// RFC 1952, 2.3: the tenth byte names the operating system; node leaves the time (bytes 5–8) at 0.
const gzipSystemByte = 9;
const gzipUnknownSystem = 255;

/** The tree as the layer of an artifact. */
export async function zstdLayer(tree: FileTree): Promise<Layer> {
  const archive = await packTree(tree);
  const bytes = zstdCompressSync(archive, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  return { blob: blobOf(mediaTypes.zstdLayer, bytes), diffId: digestOf(archive) };
}

/** A layer's archive, whatever it is compressed with; throws RangeError beyond `limit` bytes. */
export function uncompressed(layer: Buffer, limit: number): Buffer {
  const magic = layer.subarray(0, 4).toString('hex');
  if (magic === '28b52ffd') return zstdDecompressSync(layer, { maxOutputLength: limit });
  if (magic.startsWith('1f8b')) return gunzipSync(layer, { maxOutputLength: limit });
  if (layer.length > limit) throw new RangeError(`layer of more than ${limit} bytes`);
  return layer;
}

/** What goes into a layout. */
export interface LayoutContent {
  readonly config: LayoutBlob;
  readonly layers: readonly LayoutBlob[];
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Writes a layout into a new folder; returns the digest of its manifest. */
export async function writeLayout(folder: string, content: LayoutContent): Promise<Digest> {
  const { config, layers, annotations } = content;
  const manifest = blobOf(
    mediaTypes.manifest,
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config: descriptorOf(config),
        layers: layers.map(descriptorOf),
        ...(annotations && { annotations }),
      }),
    ),
  );
  await mkdir(join(folder, 'blobs', 'sha256'), { recursive: true });
  for (const blob of [config, ...layers, manifest]) {
    if (blob.bytes) await writeFile(blobFile(folder, blob.digest), blob.bytes);
  }
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: [descriptorOf(manifest)],
  };
  await writeFile(join(folder, 'index.json'), JSON.stringify(index));
  await writeFile(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  return manifest.digest;
}

function descriptorOf({ bytes: _, ...descriptor }: LayoutBlob): Descriptor {
  return descriptor;
}

/** The only image of a layout folder. */
export interface ReadLayout {
  readonly digest: Digest;
  readonly manifest: ImageManifest;
}

/** Reads the manifest of a layout's only image; throws where the folder is not such a layout. */
export async function readLayout(folder: string): Promise<ReadLayout> {
  const index = z
    .looseObject({ manifests: z.array(Descriptor).length(1) })
    .parse(JSON.parse(await readFile(join(folder, 'index.json'), 'utf8')));
  const [descriptor] = index.manifests as [Descriptor];
  const bytes = await readBlob(folder, descriptor, manifestLimit);
  return { digest: descriptor.digest, manifest: parseManifest(bytes) };
}

/** Bytes of a manifest, and of an image's config, at most: what registries take, too. */
export const manifestLimit = 4 * 1024 * 1024;

/** The manifest in these bytes; throws where they are none (an index of several platforms, for one). */
export function parseManifest(bytes: Buffer): ImageManifest {
  return ImageManifest.parse(JSON.parse(bytes.toString()));
}

/** One blob of a layout folder, of at most `limit` bytes; throws where it is not what its digest says. */
export async function readBlob(folder: string, blob: Descriptor, limit: number): Promise<Buffer> {
  const file = blobFile(folder, blob.digest);
  const { size } = await stat(file);
  if (size > limit) throw new RangeError(`${blob.digest} has more than ${limit} bytes`);
  const bytes = await readFile(file);
  if (digestOf(bytes) !== blob.digest) throw new Error(`${file} is not what its name says`);
  return bytes;
}

/** Where a layout folder has a blob. */
export function blobFile(folder: string, digest: Digest): string {
  return join(folder, 'blobs', ...digest.split(':'));
}
