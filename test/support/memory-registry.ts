import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../../src/plan/names.ts';
import { digestOf, parseManifest, readLayout } from '../../src/steps/oci-layout.ts';
import type { Registry, StoredManifest } from '../../src/steps/step.ts';

/** A {@link Registry} in memory, as strict as a real one: it takes no manifest whose blobs it lacks. */
export class MemoryRegistry implements Registry {
  readonly manifests = new Map<string, StoredManifest>();
  /** `repository@digest` → bytes. */
  readonly blobs = new Map<string, Buffer>();
  /** References that were pushed or copied to, in order. */
  readonly writes: string[] = [];

  async manifest(reference: string): Promise<StoredManifest | undefined> {
    return this.manifests.get(reference);
  }

  async copy(from: string, to: string): Promise<Digest> {
    const manifest = this.#demand(from);
    const { config, layers } = parseManifest(manifest.bytes);
    for (const { digest } of [config, ...layers]) {
      const bytes = this.#demandBlob(repositoryOf(from), digest);
      this.blobs.set(`${repositoryOf(to)}@${digest}`, bytes);
    }
    this.put(to, manifest.bytes, manifest.mediaType);
    return manifest.digest;
  }

  async pushLayout(folder: string, to: string): Promise<Digest> {
    const blobs = join(folder, 'blobs', 'sha256');
    for (const name of await readdir(blobs)) {
      this.blobs.set(`${repositoryOf(to)}@sha256:${name}`, await readFile(join(blobs, name)));
    }
    const { digest, manifest } = await readLayout(folder);
    for (const blob of [manifest.config, ...manifest.layers]) {
      this.#demandBlob(repositoryOf(to), blob.digest);
    }
    const bytes = this.#demandBlob(repositoryOf(to), digest);
    this.put(to, bytes, manifest.mediaType ?? 'application/vnd.oci.image.manifest.v1+json');
    return digest;
  }

  async pullLayout(from: string, folder: string): Promise<Digest> {
    const stored = this.#demand(from);
    const { config, layers } = parseManifest(stored.bytes);
    const blobs = join(folder, 'blobs', 'sha256');
    await mkdir(blobs, { recursive: true });
    for (const { digest } of [config, ...layers]) {
      await writeFile(join(blobs, digest.slice(7)), this.#demandBlob(repositoryOf(from), digest));
    }
    await writeFile(join(blobs, stored.digest.slice(7)), stored.bytes);
    const { digest, mediaType, bytes } = stored;
    const index = { schemaVersion: 2, manifests: [{ mediaType, digest, size: bytes.length }] };
    await writeFile(join(folder, 'index.json'), JSON.stringify(index));
    await writeFile(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    return digest;
  }

  async blob(repository: string, digest: Digest, limit: number): Promise<Buffer> {
    const bytes = this.#demandBlob(repository, digest);
    if (bytes.length > limit) throw new RangeError(`${digest} has more than ${limit} bytes`);
    return bytes;
  }

  async pullable() {
    return { anonymously: true, withSecret: null };
  }

  /** Puts a manifest under a reference, and under its digest. */
  put(reference: string, bytes: Buffer, mediaType: string): Digest {
    const digest = digestOf(bytes);
    this.writes.push(reference);
    for (const name of [reference, `${repositoryOf(reference)}@${digest}`]) {
      this.manifests.set(name, { digest, mediaType, bytes });
    }
    return digest;
  }

  #demand(reference: string): StoredManifest {
    const found = this.manifests.get(reference);
    if (found === undefined) throw new Error(`manifest unknown: ${reference}`);
    return found;
  }

  #demandBlob(repository: string, digest: Digest): Buffer {
    const found = this.blobs.get(`${repository}@${digest}`);
    if (found === undefined) throw new Error(`blob unknown: ${repository}@${digest}`);
    return found;
  }
}

function repositoryOf(reference: string): string {
  return reference.replace(/@sha256:[0-9a-f]{64}$/, '').replace(/:[^/:]+$/, '');
}
