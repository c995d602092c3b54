import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import type { Digest } from '../../plan/names.ts';
import { digestOf, ImageManifest, manifestLimit, mediaTypes } from '../oci-layout.ts';
import { plainFile, readPlainFile, strange, unreadable } from './plain-file.ts';
import { type NotedReference, referenceFile } from './unit-folder.ts';

const Noted = z.object({
  reference: z.string(),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
});

export interface ReadMadeOptions {
  /** Bytes of all blobs together, at most. */
  readonly limit: number;
  /** Blobs that may be missing: the registry has them. */
  readonly known?: ReadonlySet<string>;
}

/**
 * What `run` made for a reference, as an OCI layout in the new folder `layout`; false where it made nothing. `registry` is a folder in which code
 * of a ref may have written: every digest is computed anew, and nothing is read but plain files of bounded size. Throws
 * FailureError `strange-output`.
 */
export async function readMade(
  registry: string,
  reference: string,
  layout: string,
  { limit, known = new Set() }: ReadMadeOptions,
): Promise<boolean> {
  const note = referenceFile('', reference).split('/');
  const noted = await readPlainFile(registry, note, 64 * 1024);
  if (noted === undefined) return false;
  const { digest, reference: stated } = parse(note, noted, Noted) as NotedReference;
  if (stated !== reference) throw strange(note, 'it is of something else');

  const place = blobPlace(digest);
  const bytes = await readPlainFile(registry, place, manifestLimit);
  if (bytes === undefined || digestOf(bytes) !== digest)
    throw strange(place, 'it is not what its name says');
  const manifest = parse(place, bytes, ImageManifest);
  let left = limit;
  for (const blob of new Set([manifest.config, ...manifest.layers])) {
    const size = await checkBlob(registry, blob, left, known);
    left -= size;
  }
  await mkdir(layout, { recursive: true });
  // Whatever lies there besides is not named by the manifest, and not pushed.
  await symlink(join(registry, 'blobs'), join(layout, 'blobs'));
  const mediaType = manifest.mediaType ?? mediaTypes.manifest;
  const index = { schemaVersion: 2, manifests: [{ mediaType, digest, size: bytes.length }] };
  await writeFile(join(layout, 'index.json'), JSON.stringify(index));
  await writeFile(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  return true;
}

async function checkBlob(
  registry: string,
  blob: { readonly digest: Digest; readonly size: number },
  limit: number,
  known: ReadonlySet<string>,
): Promise<number> {
  const place = blobPlace(blob.digest);
  const found = await plainFile(registry, place, limit);
  if (found === undefined) {
    if (known.has(blob.digest)) return 0;
    throw strange(place, 'it is missing');
  }
  const hash = createHash('sha256');
  await pipeline(createReadStream(found.path), hash).catch((error: unknown) => {
    throw unreadable(error as NodeJS.ErrnoException, place);
  });
  if (found.size !== blob.size || `sha256:${hash.digest('hex')}` !== blob.digest)
    throw strange(place, 'it is not what its name says');
  return found.size;
}

function blobPlace(digest: Digest): string[] {
  return ['blobs', ...digest.split(':')];
}

function parse<Value>(place: readonly string[], bytes: Buffer, schema: z.ZodType<Value>): Value {
  try {
    return schema.parse(JSON.parse(bytes.toString()));
  } catch {
    throw strange(place, 'it has another shape');
  }
}
