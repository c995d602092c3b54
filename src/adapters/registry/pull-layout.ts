import { mkdir } from 'node:fs/promises';
import { ImageIndex, manifestLimit, parseManifest } from '../../steps/oci-layout.ts';
import type { Registry, StoredManifest } from '../../steps/step.ts';
import { RegistryTrouble } from './registry-trouble.ts';
import { checked, type Skopeo } from './skopeo.ts';

/**
 * Pulls an image into a new OCI layout folder and gives the digest that it has there. Whatever is sent for a blob, no more is kept of it
 * than its manifest says: skopeo alone would write until the disk is full. Throws RegistryTrouble.
 */
export async function pullLayout(
  from: string,
  folder: string,
  { skopeo, registry }: { skopeo: Skopeo; registry: Pick<Registry, 'manifest'> },
): Promise<string> {
  const { digest, manifest } = await singleManifest(from, registry);
  await mkdir(folder, { recursive: true });
  // Docker's media types have no place in an OCI layout: only such an image is converted, and its digest changes.
  const format = ['--remove-signatures', '--format', 'oci'];
  const names = [`docker://${checked(atDigest(from, digest))}`, 'oci:.'];
  const blobs = [manifest.config, ...manifest.layers];
  const largest = Math.max(manifestLimit, ...blobs.map(({ size }) => size));
  return skopeo.copy([...format, ...skopeo.side('src', from), ...names], folder, largest);
}

/** The manifest of a reference; of a list of images, the one for this machine, which skopeo takes, too. */
async function singleManifest(from: string, registry: Pick<Registry, 'manifest'>) {
  const stored = await demandManifest(from, registry);
  const list = ImageIndex.safeParse(JSON.parse(stored.bytes.toString()));
  if (!list.success) return readSingle(stored);
  const architecture = goArchitectures[process.arch] ?? process.arch;
  const own = list.data.manifests.find(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === architecture,
  );
  if (own === undefined)
    throw new RegistryTrouble(
      'unusable',
      `it is a list without an image for linux/${architecture}`,
    );
  return readSingle(await demandManifest(atDigest(from, own.digest), registry));
}

const goArchitectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

async function demandManifest(reference: string, registry: Pick<Registry, 'manifest'>) {
  const stored = await registry.manifest(reference);
  if (stored !== undefined) return stored;
  throw new RegistryTrouble('not-found', `${reference}: manifest unknown`);
}

function readSingle({ digest, bytes }: StoredManifest) {
  try {
    return { digest, manifest: parseManifest(bytes) };
  } catch {
    throw new RegistryTrouble('unusable', `${digest} is no manifest of one image`);
  }
}

function atDigest(reference: string, digest: string): string {
  return `${reference.replace(/@.*$/, '').replace(/:[^/:]*$/, '')}@${digest}`;
}
