import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { run } from '../../src/adapters/processes/command.ts';
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
export async function hasImage(reference: string): Promise<boolean> {
  const args = ['inspect', '--raw', '--tls-verify=false', `docker://${reference}`];
  return (await run('skopeo', args, { cwd: '/' })).exitCode === 0;
}

/** Pushes an image of these layers. `authfile`: what may write there. */
export async function pushImage(
  reference: string,
  layers: readonly Layer[],
  config: ImageConfig,
  authfile: string,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-image-'));
  try {
    const imageConfig = JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      created: '1970-01-01T00:00:00Z',
      config,
      // buildah wants one entry for each layer.
      history: layers.map(() => ({ created: '1970-01-01T00:00:00Z' })),
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    });
    await writeLayout(folder, {
      config: blobOf(mediaTypes.config, Buffer.from(imageConfig)),
      layers: layers.map(({ blob }) => blob),
    });
    const options = ['--quiet', '--insecure-policy', '--dest-tls-verify=false'];
    const from = `oci:${folder}`;
    const env = { REGISTRY_AUTH_FILE: authfile };
    await finish('skopeo', ['copy', ...options, from, `docker://${reference}`], env);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The files below a folder as a layer, all of them root's; the same files give the same bytes. */
export async function layerOfFolder(folder: string): Promise<Layer> {
  const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
  return layerOf(await finish('tar', ['-C', folder, ...same, '--format=gnu', '-cf', '-', '.']));
}

/** An archive as a layer. Quickly compressed: it goes no further than this machine. */
export async function layerOf(archive: Buffer): Promise<Layer> {
  const bytes = await promisify(gzip)(archive, { level: 1 });
  return { blob: blobOf(mediaTypes.gzipLayer, bytes), diffId: digestOf(archive) };
}

async function finish(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Buffer> {
  const options = { cwd: '/', env, maxOutput: 2 ** 31 };
  const { exitCode, stdout, stderr } = await run(program, args, options);
  if (exitCode !== 0) throw new Error(`${program} ${args.join(' ')}: exit ${exitCode}\n${stderr}`);
  return stdout;
}
