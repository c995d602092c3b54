import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Digest } from '../../plan/names.ts';
import { artifactConfigType } from '../../steps/artifact.ts';
import {
  blobFile,
  blobOf,
  type Descriptor,
  mediaTypes,
  parseManifest,
  writeLayout,
} from '../../steps/oci-layout.ts';
import type { Registry } from '../../steps/step.ts';
import { run } from '../processes/command.ts';
import { contained, type Privilege } from '../processes/sandbox.ts';
import { packFolder, unpackFolder } from '../storage/pack-folder.ts';
import type { Shelf } from '../storage/shelf.ts';

/**
 * A seed: what the product's own sources left in a compile cache, as an artifact whose layers lie on top of each other. Its tag moves on with
 * every layer that is added.
 */
export interface Seed {
  /** From the lowest to the topmost, as the manifest has them. */
  readonly layers: readonly Descriptor[];
  /** The same unpacked, the topmost first. */
  readonly folders: readonly string[];
}

/** A seed with more layers is begun anew: it holds much that no source needs any more. */
const mostLayers = 8;
/** Less than this, of new files, is not worth a layer. */
const leastBytes = 256 * 1024;

/**
 * Finds a seed and unpacks what is not unpacked yet. `own`: for a build that adds to it; where it cannot grow any
 * more, there is none. Throws where it is not what it should be.
 */
export async function findSeed(
  { reference, own, folder }: { reference: string; own: boolean; folder: string },
  {
    registry,
    privilege,
    hold,
  }: {
    registry: Registry;
    privilege: Privilege;
    hold: (name: string, make: (draft: string) => Promise<void>) => Promise<string>;
  },
): Promise<Seed | undefined> {
  const found = await registry.manifest(reference);
  if (found === undefined) return undefined;
  const { config, layers } = parseManifest(found.bytes);
  if (config.mediaType !== artifactConfigType)
    throw new Error('it is not an artifact of Tributary');
  if (own && layers.length >= mostLayers) return undefined;
  const layout = join(folder, 'layout');
  let pulled: Promise<Digest> | undefined;
  const folders: string[] = [];
  for (const layer of layers) {
    const unpack = async (draft: string) => {
      pulled ??= registry.pullLayout(`${repositoryOf(reference)}@${found.digest}`, layout);
      await pulled;
      await unpackFolder(blobFile(layout, layer.digest), draft, privilege);
    };
    folders.unshift(await hold(layerName(layer.digest), unpack));
  }
  return { layers, folders };
}

/** Adds what a group compiled to a seed, in the registry and on this machine; unless that is next to nothing. */
export async function writeSeed(
  {
    reference,
    about,
    seed,
    upper,
  }: {
    reference: string;
    about: Readonly<Record<string, string>>;
    seed: Seed | undefined;
    upper: string;
  },
  {
    registry,
    shelf,
    privilege,
    log,
  }: { registry: Registry; shelf: Shelf; privilege: Privilege; log: (text: string) => void },
): Promise<void> {
  const bytes = await bytesIn(upper, privilege);
  if (bytes < leastBytes) return;
  const layout = join(dirname(upper), 'new-seed');
  const packed = join(dirname(upper), 'packed');
  const { digest, size } = await packFolder(upper, packed, privilege);
  const layer = { mediaType: mediaTypes.zstdLayer, digest, size };
  const metadata = JSON.stringify({ kind: 'seed', metadata: about });
  await writeLayout(layout, {
    config: blobOf(artifactConfigType, Buffer.from(metadata)),
    layers: [...(seed?.layers ?? []), layer],
  });
  const blob = blobFile(layout, digest);
  await mkdir(dirname(blob), { recursive: true });
  await rename(packed, blob);
  await registry.pushLayout(layout, reference);
  const unpack = (draft: string) => unpackFolder(blob, draft, privilege);
  await (await shelf.hold(layerName(digest), unpack)).release();
  log(`kept what was compiled as seed ${reference}: ${(bytes / 2 ** 20).toFixed(1)} MiB more`);
}

async function bytesIn(folder: string, privilege: Privilege): Promise<number> {
  const find = ['find', folder, '-type', 'f', '-printf', '%s\\n'];
  const line = contained(privilege, find, { network: false });
  const { stdout } = await run(line.program, line.args, { cwd: '/', env: line.env });
  return stdout
    .toString()
    .split('\n')
    .reduce((sum, text) => sum + Number(text), 0);
}

function layerName(digest: Digest): string {
  return `layer-${digest.slice('sha256:'.length)}`;
}

function repositoryOf(reference: string): string {
  return reference.slice(0, reference.lastIndexOf(':'));
}
