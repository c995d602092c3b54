import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { pushBusyboxImage } from '../../../test/support/busybox-image.ts';
import { startRegistry, type TestRegistry } from '../../../test/support/registry.ts';
import { Configuration } from '../../config/config.ts';
import { textFile } from '../../plan/file-tree.ts';
import { briefPatience, createPersist } from '../persist.ts';
import { privilege } from '../processes/sandbox.ts';
import { createRegistry } from '../registry/registry.ts';
import { sizeOf } from '../storage/shelf.ts';
import { openBaseStore } from './base-store.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 });

const platform = process.arch === 'arm64' ? 'linux/arm64' : 'linux/amd64';
const signal = new AbortController().signal;

let server: TestRegistry;
let folder = '';

beforeAll(async () => {
  server = await startRegistry();
  folder = await mkdtemp(join(tmpdir(), 'base-store-'));
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

test('removes base images that were used longest ago, none that a build uses, and pulls them again', async () => {
  const configuration = Configuration.parse({ remotes: { demo: { push: server.host } } });
  const registry = await createRegistry(configuration, { folder });
  const store = await openBaseStore(
    join(folder, 'bases'),
    configuration,
    privilege(),
    createPersist(briefPatience),
  );
  const pulls: string[] = [];
  const pull = (reference: string) =>
    store.pull(reference, platform, () => pulls.push(reference), signal);
  const references: string[] = [];
  for (const [age, name] of ['young', 'old', 'used'].entries()) {
    const files = new Map([['large', textFile(name.repeat(200_000))]]);
    const reference = await pushBusyboxImage(registry, `${server.host}/base/${name}:1`, files);
    references.push(reference);
    await (await pull(reference)).release();
    const [marker = ''] = (await readdir(join(folder, 'bases/pulled'))).filter((file) =>
      file.includes(`~${name}@`),
    );
    const time = new Date(Date.now() - age * 3_600_000);
    await utimes(join(folder, 'bases/pulled', marker), time, time);
  }
  const [young = '', old = '', used = ''] = references;
  const size = await sizeOf(store.root);
  {
    // To use it makes it the youngest, too: what saves it below is that it is held.
    await using _held = await pull(used);
    expect(await store.evict(2 * size)).toEqual([]);
    expect(await store.evict(size)).toEqual([expect.stringContaining('~old@')]);
    expect(await store.evict(0)).toEqual([expect.stringContaining('~young@')]);
  }
  expect(await sizeOf(store.root)).toBeLessThan(size / 2);
  expect(pulls).toEqual([young, old, used]);
  await (await pull(old)).release();
  expect(pulls).toEqual([young, old, used, old]);
});
