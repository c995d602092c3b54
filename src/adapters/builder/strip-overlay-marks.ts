import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { digestOf, readLayout } from '../../steps/oci-layout.ts';

/**
 * Removes the marks of the overlay file system (`user.overlay.*`) from the layers of an OCI layout. Where an
 * ordinary user builds, Linux keeps its notes in extended attributes that buildah 1.28 takes for part of the
 * image; they name inodes, so that no two machines would make the same bytes. Layers must be plain tar.
 */
export async function stripOverlayMarks(layout: string): Promise<void> {
  const { digest, manifest } = await readLayout(layout);
  let text = await readBlob(layout, digest);
  let config = await readBlob(layout, manifest.config.digest);
  for (const layer of manifest.layers) {
    if (!layer.mediaType.endsWith('.tar')) continue;
    const stripped = await stripLayer(layout, layer.digest);
    if (stripped === undefined) continue;
    // Replaced as text: everything else stays as buildah wrote it.
    text = replaceDescriptor(text, layer.digest, stripped.digest, stripped.size);
    config = config.replaceAll(layer.digest, stripped.digest);
  }
  const configDigest = await writeBlob(layout, config);
  text = replaceDescriptor(text, manifest.config.digest, configDigest, Buffer.byteLength(config));
  const index = await readFile(join(layout, 'index.json'), 'utf8');
  const changed = replaceDescriptor(
    index,
    digest,
    await writeBlob(layout, text),
    Buffer.byteLength(text),
  );
  await writeFile(join(layout, 'index.json'), changed);
  if (configDigest !== manifest.config.digest)
    for (const old of [digest, manifest.config.digest]) await rm(blobFile(layout, old));
}

function replaceDescriptor(text: string, from: string, to: string, size: number): string {
  return text.replace(
    new RegExp(`"digest":"${from}","size":\\d+`, 'g'),
    `"digest":"${to}","size":${size}`,
  );
}

function blobFile(layout: string, digest: string): string {
  return join(layout, 'blobs', 'sha256', digest.slice('sha256:'.length));
}

function readBlob(layout: string, digest: string): Promise<string> {
  return readFile(blobFile(layout, digest), 'utf8');
}

async function writeBlob(layout: string, text: string): Promise<string> {
  const digest = digestOf(Buffer.from(text));
  await writeFile(blobFile(layout, digest), text);
  return digest;
}

/** A piece of an archive to be replaced. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly bytes: Buffer;
}

async function stripLayer(
  layout: string,
  digest: string,
): Promise<{ digest: string; size: number } | undefined> {
  const file = blobFile(layout, digest);
  await using archive = await open(file);
  const edits = await findMarks(archive);
  if (edits.length === 0) return undefined;
  const target = `${file}.stripped`;
  const hash = createHash('sha256');
  let size = 0;
  await pipeline(async function* () {
    for await (const piece of edited(file, edits)) {
      hash.update(piece);
      size += piece.length;
      yield piece;
    }
  }, createWriteStream(target));
  const stripped = `sha256:${hash.digest('hex')}`;
  await rename(target, blobFile(layout, stripped));
  await rm(file);
  return { digest: stripped, size };
}

async function* edited(file: string, edits: readonly Edit[]): AsyncGenerator<Buffer> {
  let position = 0;
  for (const { start, end, bytes } of edits) {
    if (start > position) yield* createReadStream(file, { start: position, end: start - 1 });
    yield bytes;
    position = end;
  }
  yield* createReadStream(file, { start: position });
}

const block = 512;

/** Reads the headers of a tar archive (POSIX pax: extended headers have type `x`) and finds those with marks. */
async function findMarks(archive: FileHandle): Promise<Edit[]> {
  const edits: Edit[] = [];
  const { size: total } = await archive.stat();
  for (let position = 0; position + block <= total; ) {
    const header = await readAt(archive, position, block);
    const size = fieldOf(header, 124, 12);
    const end = position + block + Math.ceil(size / block) * block;
    if (header[156] === 0x78) {
      const records = await readAt(archive, position + block, size);
      const kept = withoutMarks(records);
      if (kept.length < size)
        edits.push({ start: position, end, bytes: extendedHeader(header, kept) });
    }
    position = end;
  }
  return edits;
}

async function readAt(archive: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await archive.read(Buffer.alloc(length), 0, length, position);
  if (bytesRead !== length) throw new Error('a layer ends in the middle');
  return buffer;
}

/** An octal number, or, with the first bit set, a big-endian one (larger than 8 GiB). */
function fieldOf(header: Buffer, start: number, length: number): number {
  const field = header.subarray(start, start + length);
  if (((field[0] ?? 0) & 0x80) !== 0) return Number(field.readBigUInt64BE(length - 8));
  return Number.parseInt(field.toString('latin1').replace(/\0.*$/s, '').trim() || '0', 8);
}

/** Records are `<length> <key>=<value>\n`; values are bytes. */
function withoutMarks(records: Buffer): Buffer {
  const kept: Buffer[] = [];
  for (let start = 0; start < records.length; ) {
    const length = Number(records.subarray(start, records.indexOf(' ', start)).toString('latin1'));
    if (!(length > 0)) throw new Error('an extended header cannot be read');
    const record = records.subarray(start, start + length);
    if (!/^\d+ SCHILY\.xattr\.user\.overlay\./.test(record.toString('latin1'))) kept.push(record);
    start += length;
  }
  return Buffer.concat(kept);
}

/** The header with other records; nothing where there are none. */
function extendedHeader(header: Buffer, records: Buffer): Buffer {
  if (records.length === 0) return records;
  const changed = Buffer.from(header);
  changed.write(`${records.length.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  changed.fill(' ', 148, 156);
  const checksum = changed.reduce((sum, byte) => sum + byte, 0);
  changed.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  const padding = Buffer.alloc((block - (records.length % block)) % block);
  return Buffer.concat([changed, records, padding]);
}
