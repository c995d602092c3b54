import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FileTree, textFile } from '../../src/plan/file-tree.ts';
import { blobOf, gzipLayer, mediaTypes, writeLayout } from '../../src/steps/oci-layout.ts';
import type { Registry } from '../../src/steps/step.ts';

const programs = [
  'sh',
  'cat',
  'echo',
  'env',
  'id',
  'ls',
  'mkdir',
  'mount',
  'sleep',
  'touch',
  'wget',
  'sed',
  'true',
];

/** Pushes a base image made of busybox-static and `files`, with a config of its own; returns its reference by digest. */
export async function pushBusyboxImage(
  registry: Registry,
  reference: string,
  files: FileTree = new Map(),
  config: object = {},
): Promise<string> {
  const tree = new Map(files);
  tree.set('bin/busybox', { mode: '100755', content: await readFile('/usr/bin/busybox') });
  for (const name of programs)
    tree.set(`bin/${name}`, { mode: '120000', content: Buffer.from('busybox') });
  tree.set('etc/os-release', textFile('ID=busybox\n'));
  const { blob, diffId } = await gzipLayer(tree);
  const imageConfig = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: { Env: ['PATH=/bin'], ...config },
      rootfs: { type: 'layers', diff_ids: [diffId] },
    }),
  );
  const folder = await mkdtemp(join(tmpdir(), 'busybox-'));
  try {
    await writeLayout(folder, { config: blobOf(mediaTypes.config, imageConfig), layers: [blob] });
    const digest = await registry.pushLayout(folder, reference);
    return `${reference.replace(/:[^:/]*$/, '')}@${digest}`;
  } finally {
    await rm(folder, { recursive: true });
  }
}
