import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  blobOf,
  digestOf,
  type Layer,
  mediaTypes,
  writeLayout,
} from '../../src/steps/oci-layout.ts';

/** What a container of an image starts as: the fields of an OCI image's `config`. */
export type ImageConfig = Readonly<Record<string, unknown>>;

/** Whether a registry of the cluster has an image. */
export function hasImage(reference: string, authfile: string): boolean {
  try {
    skopeo(['inspect', '--raw', '--tls-verify=false', `docker://${reference}`], authfile);
    return true;
  } catch {
    return false;
  }
}

/** Pushes an image of these layers. */
export async function pushImage(
  reference: string,
  layers: readonly Layer[],
  config: ImageConfig,
  authfile: string,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-image-'));
  try {
    const imageConfig = JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      created: '1970-01-01T00:00:00Z',
      config,
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    });
    await writeLayout(folder, {
      config: blobOf(mediaTypes.config, Buffer.from(imageConfig)),
      layers: layers.map(({ blob }) => blob),
    });
    const tls = ['--insecure-policy', '--dest-tls-verify=false'];
    skopeo(['copy', '--quiet', ...tls, `oci:${folder}`, `docker://${reference}`], authfile);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The files below a folder as a layer, all of them root's; the same files give the same bytes. */
export function layerOfFolder(folder: string): Layer {
  const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
  const args = ['-C', folder, ...same, '--format=gnu', '-cf', '-', '.'];
  return layerOf(execFileSync('tar', args, { maxBuffer: 2 ** 31 }));
}

/** An archive as a layer. Quickly compressed: it goes no further than this machine. */
export function layerOf(archive: Buffer): Layer {
  const blob = blobOf(mediaTypes.gzipLayer, gzipSync(archive, { level: 1 }));
  return { blob, diffId: digestOf(archive) };
}

function skopeo(args: readonly string[], authfile: string): void {
  execFileSync('skopeo', args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, REGISTRY_AUTH_FILE: authfile },
  });
}
