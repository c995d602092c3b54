import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Digest } from '../../plan/names.ts';

/**
 * The folder that the containers of a unit's pod share: `fetch` writes `in/`, `run` reads that and writes `out/`, `push` reads both and
 * believes `in/` alone.
 */
export interface UnitFolders {
  /** Of `fetch`: what it told, a registry in a folder, base images. */
  readonly in: string;
  /** Of `run`: what it told, and what it made, in a registry in a folder. */
  readonly out: string;
}

/** The folders below the one that the containers share. */
export function unitFolders(pod: string): UnitFolders {
  return { in: join(pod, 'in'), out: join(pod, 'out') };
}

/** The registry in a folder of `fetch` or `run`. */
export function registryFolder(folder: string): string {
  return join(folder, 'registry');
}

/** Base images that `fetch` has pulled. */
export function basesFolder(folders: UnitFolders): string {
  return join(folders.in, 'bases');
}

/** What a registry in a folder notes of a reference, as JSON. */
export interface NotedReference {
  readonly reference: string;
  readonly digest: Digest;
  readonly mediaType: string;
}

/** Where a registry in a folder notes a reference; blobs and manifests lie in `blobs/`, as in an OCI layout. */
export function referenceFile(registry: string, reference: string): string {
  const name = createHash('sha256').update(reference).digest('hex');
  return join(registry, 'references', name);
}
