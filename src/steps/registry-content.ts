import { z } from 'zod';
import { FailureError } from '../builds/failure.ts';
import type { FileTree } from '../plan/file-tree.ts';
import { type ImageManifest, parseManifest, uncompressed } from './oci-layout.ts';
import { type TarLimits, unpackTree } from './tar-tree.ts';

/**
 * What comes from a registry has the digest that was asked for, and is a stranger's all the same: here it is read, and what cannot be is
 * told as a failure of the registry.
 */

/** What is at `reference` is not what it should be. */
export function unusable(reference: string, why: string): FailureError {
  return new FailureError({
    reason: 'registry-unusable',
    detail: `${reference}: ${why}`,
    hint: 'Something on the way changes what the registry sends, its storage is damaged, or somebody put another thing there: if asking again does not help, remove what it holds there. What Tributary pushed is then made anew; a base image must be pushed anew.',
    about: { reference },
  });
}

/** The manifest of one image or artifact. */
export function imageManifest(reference: string, bytes: Buffer): ImageManifest {
  return readContent(reference, 'no manifest of one image', () => parseManifest(bytes));
}

/** A JSON document, such as an image's config. */
export function jsonContent<Value>(
  reference: string,
  bytes: Buffer,
  schema: z.ZodType<Value>,
): Value {
  const what = 'not the JSON that should be there';
  return readContent(reference, what, () => schema.parse(JSON.parse(bytes.toString())));
}

/** A layer's archive, of at most `limit` bytes. */
export function layerArchive(reference: string, layer: Buffer, limit: number): Buffer {
  return readContent(reference, 'a layer that cannot be unpacked', () =>
    uncompressed(layer, limit),
  );
}

/** The files of a layer that holds nothing but data. */
export async function layerFiles(
  reference: string,
  layer: Buffer,
  limits: TarLimits,
): Promise<FileTree> {
  const files = await unpackTree(layerArchive(reference, layer, limits.bytes), limits);
  if (files.ok) return files.value;
  throw unusable(reference, `it has a layer that cannot be unpacked: ${files.failures.join(', ')}`);
}

function readContent<Value>(reference: string, what: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    throw unusable(reference, `it is ${what}: ${reasonOf(error).slice(0, 300)}`);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof z.ZodError) return z.prettifyError(error).replaceAll(/\s+/g, ' ');
  // JSON.parse quotes what it read.
  return error instanceof SyntaxError ? 'it is not JSON' : (error as Error).message;
}
