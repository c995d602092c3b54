import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FailureError } from '../../builds/failure.ts';
import { artifactConfigType } from '../../steps/artifact.ts';
import {
  blobFile,
  blobOf,
  mediaTypes,
  parseManifest,
  writeLayout,
} from '../../steps/oci-layout.ts';
import type { Registry } from '../../steps/step.ts';
import { run } from '../processes/command.ts';
import { contained, type Privilege } from '../processes/sandbox.ts';
import { packEverything, unpackFolder } from '../storage/pack-folder.ts';
import { filledFolders } from './base-store.ts';

/** Fills the folder of a base store with what was packed at a reference. False: there is none, or none that can be used. */
export async function unpackBases(
  reference: string,
  folder: string,
  {
    registry,
    privilege,
    workdir,
    log,
    signal,
  }: {
    registry: Registry;
    privilege: Privilege;
    workdir: string;
    log: (text: string) => void;
    signal: AbortSignal;
  },
): Promise<boolean> {
  const found = await registry.manifest(reference);
  if (found === undefined) return false;
  const draft = await mkdtemp(join(workdir, 'bases-'));
  try {
    const { config, layers } = parseManifest(found.bytes);
    const [layer] = layers;
    if (config.mediaType !== artifactConfigType || layer === undefined)
      throw new Error('it is not an artifact of Tributary');
    const layout = join(draft, 'layout');
    await registry.pullLayout(reference.replace(/:[^:/]*$/, `@${found.digest}`), layout);
    await mkdir(folder, { recursive: true });
    await unpackFolder(blobFile(layout, layer.digest), folder, privilege);
    return true;
  } catch (error) {
    signal.throwIfAborted();
    log(`warning: ${reference} is not used: ${messageOf(error)}`);
    await removeAll(folder, privilege);
    return false;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/**
 * Packs the folder of a base store, and puts that into a registry, as an artifact whose only layer it is. What cannot be packed is told of, and harms
 * nobody.
 */
export async function packBases(
  folder: string,
  reference: string,
  {
    registry,
    privilege,
    workdir,
    log,
    signal,
  }: {
    registry: Pick<Registry, 'pushLayout'>;
    privilege: Privilege;
    workdir: string;
    log: (text: string) => void;
    signal: AbortSignal;
  },
): Promise<void> {
  const draft = await mkdtemp(join(workdir, 'bases-'));
  try {
    const layout = join(draft, 'layout');
    const packed = join(draft, 'packed');
    const { digest, size } = await packEverything(folder, filledFolders, packed, privilege);
    await writeLayout(layout, {
      config: blobOf(artifactConfigType, Buffer.from('{"kind":"bases","metadata":{}}')),
      layers: [{ mediaType: mediaTypes.zstdLayer, digest, size }],
    });
    const blob = blobFile(layout, digest);
    await mkdir(dirname(blob), { recursive: true });
    await rename(packed, blob);
    await registry.pushLayout(layout, reference);
  } catch (error) {
    signal.throwIfAborted();
    log(`warning: the base images are not packed: ${messageOf(error)}`);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Files of images belong to others than us. */
async function removeAll(folder: string, privilege: Privilege): Promise<void> {
  const names = (await readdir(folder).catch(() => [])).map((name) => join(folder, name));
  const line = contained(privilege, ['rm', '-rf', '--', ...names], { network: false });
  await run(line.program, line.args, { cwd: '/', env: line.env });
}

function messageOf(error: unknown): string {
  if (error instanceof FailureError) return error.failures[0].detail;
  return error instanceof Error ? error.message : String(error);
}
