import { mkdtemp, readFile, rm, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { startRegistry } from '../../test/support/registry.ts';
import { run } from '../adapters/processes/command.ts';
import { type FileTree, textFile } from '../plan/file-tree.ts';
import {
  blobOf,
  digestOf,
  gzipLayer,
  mediaTypes,
  readBlob,
  readLayout,
  uncompressed,
  writeLayout,
  zstdLayer,
} from './oci-layout.ts';

const tree: FileTree = new Map([
  ['kodata/b.yaml', textFile('b: 1\n')],
  ['kodata/a/run.sh', textFile('#!/bin/sh\n', '100755')],
]);

test('makes the same layer of the same files, whatever their order', async () => {
  const one = await gzipLayer(tree);
  const other = await gzipLayer(new Map([...tree].reverse()));
  expect(other).toEqual(one);
  expect(digestOf(gunzipSync(one.blob.bytes ?? ''))).toBe(one.diffId);
  expect(one.blob.bytes?.subarray(4, 8)).toEqual(Buffer.alloc(4));
});

test('writes a layout and reads it back', async () => {
  const folder = join(await temporaryFolder(), 'layout');
  const layer = await zstdLayer(tree);
  const config = blobOf(mediaTypes.config, Buffer.from('{}'));
  const digest = await writeLayout(folder, { config, layers: [layer.blob] });
  const read = await readLayout(folder);
  expect(read.digest).toBe(digest);
  const [found] = read.manifest.layers;
  if (found === undefined) throw new Error('no layer');
  const bytes = await readBlob(folder, found, 1_000_000);
  expect(digestOf(uncompressed(bytes, 1_000_000))).toBe(layer.diffId);
  await expect(readBlob(folder, found, 10)).rejects.toThrow(RangeError);
  expect(() => uncompressed(bytes, 100)).toThrow(RangeError);
});

test('skopeo pushes a layout whose layers only the target repository has', {
  tags: ['slow'],
  timeout: 30_000,
}, async () => {
  await using registry = await startRegistry();
  const work = await temporaryFolder();
  const to = `docker://${registry.host}/demo/operator`;
  const base = await gzipLayer(tree);
  const diffs = [base.diffId];
  await writeLayout(join(work, 'base'), { config: imageConfig(diffs), layers: [base.blob] });
  await skopeo(work, 'oci:base', `${to}:base`);

  const top = await gzipLayer(new Map([['kodata/c.yaml', textFile('c: 1\n')]]));
  const { bytes: _, ...known } = base.blob;
  const digest = await writeLayout(join(work, 'sparse'), {
    config: imageConfig([...diffs, top.diffId]),
    layers: [known, top.blob],
  });
  await expect(
    unlink(join(work, 'sparse/blobs/sha256', base.blob.digest.slice(7))),
  ).rejects.toThrow();
  await skopeo(work, 'oci:sparse', `${to}:sparse`);
  await skopeo(work, `${to}:sparse`, 'oci:back');
  expect((await readLayout(join(work, 'back'))).digest).toBe(digest);
  expect(digestOf(await readFile(join(work, 'back/blobs/sha256', base.blob.digest.slice(7))))).toBe(
    base.blob.digest,
  );
});

function imageConfig(diffIds: readonly string[]) {
  const config = {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: diffIds.map(() => ({ created: '1970-01-01T00:00:00Z' })),
  };
  return blobOf(mediaTypes.config, Buffer.from(JSON.stringify(config)));
}

async function skopeo(cwd: string, from: string, to: string) {
  const flags = ['--insecure-policy', 'copy', '--src-tls-verify=false', '--dest-tls-verify=false'];
  const { exitCode, stderr } = await run('skopeo', [...flags, from, to], { cwd });
  expect(exitCode, stderr).toBe(0);
}

async function temporaryFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-layout-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
