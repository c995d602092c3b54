import { access, copyFile, link, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Digest } from '../../plan/names.ts';
import {
  blobFile,
  digestOf,
  manifestLimit,
  mediaTypes,
  parseManifest,
  readBlob,
  readLayout,
} from '../../steps/oci-layout.ts';
import type { Registry, StoredManifest } from '../../steps/step.ts';
import { type NotedReference, referenceFile } from '../../steps/unit/unit-folder.ts';

/** A {@link Registry} that is a folder. */
export interface FolderRegistry extends Registry {
  /** Takes what another registry has at a reference, without its blobs. */
  putManifest(reference: string, manifest: StoredManifest): Promise<void>;
  putBlob(bytes: Buffer): Promise<void>;
}

/**
 * The registry of a container that has no network: what is asked for lies in a folder. `reads` is one that another container filled, and
 * may be read-only; everything is written into `writes`.
 */
export function createFolderRegistry({
  reads,
  writes,
}: {
  readonly reads?: string;
  readonly writes: string;
}): FolderRegistry {
  const folders = reads === undefined ? [writes] : [writes, reads];

  const note = async (reference: string, digest: Digest, mediaType: string) => {
    const noted: NotedReference = { reference, digest, mediaType };
    await write(referenceFile(writes, reference), JSON.stringify(noted));
  };
  const noteBoth = async (reference: string, digest: Digest, mediaType: string) => {
    await note(reference, digest, mediaType);
    await note(`${repositoryOf(reference)}@${digest}`, digest, mediaType);
  };
  const manifest = async (reference: string): Promise<StoredManifest | undefined> => {
    const noted = await firstOf(folders, (folder) => readFile(referenceFile(folder, reference)));
    if (noted === undefined) return undefined;
    const { digest, mediaType } = JSON.parse(noted.toString()) as NotedReference;
    return { digest, mediaType, bytes: await read(digest, manifestLimit) };
  };
  const read = async (digest: Digest, limit: number) => {
    const descriptor = { mediaType: '', digest, size: limit };
    const bytes = await firstOf(folders, (folder) => readBlob(folder, descriptor, limit));
    if (bytes === undefined) throw new Error(`no container of this pod brought ${digest}`);
    return bytes;
  };
  const demand = async (reference: string) => {
    const found = await manifest(reference);
    if (found === undefined) throw new Error(`no container of this pod brought ${reference}`);
    return found;
  };

  return {
    manifest,
    async putManifest(reference, { digest, mediaType, bytes }) {
      await write(blobFile(writes, digest), bytes);
      await noteBoth(reference, digest, mediaType);
    },
    putBlob: (bytes) => write(blobFile(writes, digestOf(bytes)), bytes),
    async copy(from, to) {
      const { digest, mediaType } = await demand(from);
      await noteBoth(to, digest, mediaType);
      return digest;
    },
    async pushLayout(layout, to) {
      const { digest, manifest: pushed } = await readLayout(layout);
      const blobs = [pushed.config, ...pushed.layers].map((blob) => blob.digest);
      // What is missing is in the registry that `push` knows.
      for (const blob of [digest, ...blobs])
        await adopt(blobFile(layout, blob), blobFile(writes, blob));
      await noteBoth(to, digest, pushed.mediaType ?? mediaTypes.manifest);
      return digest;
    },
    async pullLayout(from, layout) {
      const { digest, mediaType, bytes } = await demand(from);
      const { config, layers } = parseManifest(bytes);
      for (const blob of [digest, ...[config, ...layers].map((one) => one.digest)]) {
        const file = await firstOf(folders, async (folder) => {
          await access(blobFile(folder, blob));
          return blobFile(folder, blob);
        });
        if (file === undefined) throw new Error(`no container of this pod brought ${blob}`);
        await mkdir(dirname(blobFile(layout, blob)), { recursive: true });
        await symlink(file, blobFile(layout, blob));
      }
      const descriptor = { mediaType, digest, size: bytes.length };
      await write(
        join(layout, 'index.json'),
        JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }),
      );
      await write(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
      return digest;
    },
    blob: (_repository, digest, limit) => read(digest, limit),
    pullable: async () => {
      throw new Error('a folder cannot tell who may pull');
    },
  };
}

function repositoryOf(reference: string): string {
  return reference.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
}

/** Of the first folder that has it. */
async function firstOf<Value>(
  folders: readonly string[],
  look: (folder: string) => Promise<Value>,
): Promise<Value | undefined> {
  for (const folder of folders) {
    try {
      return await look(folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return undefined;
}

async function write(file: string, content: string | Buffer): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
}

/** Without moving bytes where both are on one file system; nothing where there is no such file, or it is there. */
async function adopt(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await link(from, to).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') await copyFile(from, to);
  });
}
