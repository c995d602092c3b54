import { posix } from 'node:path';
import { type TarHeader, unpackTar } from 'modern-tar';
import type { FileTree, TreeFile } from '../../plan/file-tree.ts';
import type { Digest } from '../../plan/names.ts';
import { readManifest } from '../image-files.ts';
import type { Descriptor } from '../oci-layout.ts';
import { layerArchive, unusable } from '../registry-content.ts';
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
    const hidden = new Set<string>();
    const entries = await readLayer(registry, repository, layer, (path, type) => {
      const target = hiddenBy(path, type);
      if (target !== undefined) hidden.add(target);
      return path === wanted;
    });
    const entry = entries.at(-1);
    if (entry?.data !== undefined) return Buffer.from(entry.data);
    if (entry !== undefined || isBelow(wanted, hidden)) return undefined;
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
    const hidden = new Set(hiding);
    const entries = await readLayer(registry, repository, layer, (path, type) => {
      const target = hiddenBy(path, type);
      if (target !== undefined) hiding.push(target);
      return !isMark(path) && type !== 'directory' && path.startsWith(`${wanted}/`);
    });
    for (const { header, data } of entries) {
      const path = normal(header.name);
      const name = path.slice(wanted.length + 1);
      if (!isBelow(path, hidden) && !files.has(name)) files.set(name, asFile(header, data));
    }
    if (isBelow(wanted, new Set(hiding))) break;
  }
  return files;
}

/** The entries of a layer whose paths are wanted. */
async function readLayer(
  registry: Registry,
  repository: string,
  { digest, size }: Descriptor,
  isWanted: (path: string, type: TarHeader['type']) => boolean,
) {
  const reference = `${repository}@${digest}`;
  const packed = await registry.blob(repository, digest, Math.min(size, layerLimit));
  const archive = layerArchive(reference, packed, layerLimit);
  const filter = ({ name, type }: TarHeader) => {
    if (leadsOut.test(name)) throw new Error(`it has an entry ${JSON.stringify(name)}`);
    return isWanted(normal(name), type);
  };
  return unpackTar(archive, { filter }).catch((error: Error) => {
    throw unusable(reference, error.message);
  });
}

/** A folder above, or a whiteout of one: what unpacks images refuses such entries, or goes astray. */
const leadsOut = /(^|\/)(\.\.|\.wh\.\.{0,2})(\/|$)/;

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

/** What an entry hides in the layers below: what a whiteout names, or all below it, as it is no folder. */
function hiddenBy(path: string, type: TarHeader['type']): string | undefined {
  if (!isMark(path)) return type === 'directory' ? undefined : path;
  const file = posix.basename(path);
  const folder = posix.dirname(path);
  return file === '.wh..wh..opq' ? folder : posix.join(folder, file.slice('.wh.'.length));
}

/** Whether a path, or a folder above it, is among those that are hidden. */
function isBelow(path: string, hidden: ReadonlySet<string>): boolean {
  for (let at = path; ; at = posix.dirname(at)) {
    if (hidden.has(at)) return true;
    if (at === '/' || at === '.') return false;
  }
}

function isMark(name: string): boolean {
  return posix.basename(name).startsWith('.wh.');
}
