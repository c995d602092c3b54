import { posix } from 'node:path';
import { type TarHeader, unpackTar } from 'modern-tar';
import type { FileTree, TreeFile } from '../../plan/file-tree.ts';
import type { Digest } from '../../plan/names.ts';
import { readManifest } from '../image-files.ts';
import { uncompressed } from '../oci-layout.ts';
import type { Registry } from '../step.ts';

const layerLimit = 2 * 1024 ** 3;

/** A file of an image, as a container would see it; undefined where there is none. Links are not followed. */
export async function readImageFile(
  registry: Registry,
  repository: string,
  digest: Digest,
  path: string,
): Promise<Buffer | undefined> {
  const manifest = await readManifest(registry, `${repository}@${digest}`);
  const wanted = normal(path);
  for (const layer of [...(manifest?.layers ?? [])].reverse()) {
    const packed = await registry.blob(repository, layer.digest, layerLimit);
    let hidden = false;
    const entries = await unpackTar(uncompressed(packed, layerLimit), {
      filter: ({ name }) => {
        hidden ||= hides(normal(name), wanted);
        return normal(name) === wanted;
      },
    });
    const entry = entries.at(-1);
    if (entry?.data !== undefined) return Buffer.from(entry.data);
    if (entry !== undefined || hidden) return undefined;
  }
  return undefined;
}

/** The files below a folder of an image, as a container would see them; paths are those of the folder. */
export async function readImageFolder(
  registry: Registry,
  repository: string,
  digest: Digest,
  folder: string,
): Promise<FileTree> {
  const manifest = await readManifest(registry, `${repository}@${digest}`);
  const wanted = normal(folder);
  const files = new Map<string, TreeFile>();
  const hiding: string[] = [];
  for (const layer of [...(manifest?.layers ?? [])].reverse()) {
    const packed = await registry.blob(repository, layer.digest, layerLimit);
    const marks: string[] = [];
    const entries = await unpackTar(uncompressed(packed, layerLimit), {
      filter: ({ name, type }) => {
        const path = normal(name);
        if (isMark(path)) marks.push(path);
        return !isMark(path) && type !== 'directory' && path.startsWith(`${wanted}/`);
      },
    });
    for (const { header, data } of entries) {
      const path = normal(header.name).slice(wanted.length + 1);
      const hidden = hiding.some((mark) => hides(mark, `${wanted}/${path}`));
      if (!hidden && !files.has(path)) files.set(path, asFile(header, data));
    }
    hiding.push(...marks);
    if (marks.some((mark) => hides(mark, wanted))) break;
  }
  return files;
}

/** What a hard link leads to is not looked up: it has no content here. */
function asFile(header: TarHeader, data: Uint8Array | undefined): TreeFile {
  if (header.type === 'symlink')
    return { mode: '120000', content: Buffer.from(header.linkname ?? '') };
  const mode = ((header.mode ?? 0) & 0o111) === 0 ? '100644' : '100755';
  return { mode, content: Buffer.from(data ?? []) };
}

function normal(name: string): string {
  return posix.normalize(`/${name}`).replace(/\/$/, '');
}

/** Whether an entry is a whiteout of the path or of a folder above it. */
function hides(name: string, path: string): boolean {
  if (!isMark(name)) return false;
  const file = posix.basename(name);
  const folder = posix.dirname(name);
  const target = file === '.wh..wh..opq' ? folder : posix.join(folder, file.slice('.wh.'.length));
  return path === target || path.startsWith(target === '/' ? '/' : `${target}/`);
}

function isMark(name: string): boolean {
  return posix.basename(name).startsWith('.wh.');
}
