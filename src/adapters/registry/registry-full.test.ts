import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startRegistry, type TestRegistry } from '../../../test/support/registry.ts';
import { type SmallDisk, smallDisk } from '../../../test/support/small-disk.ts';
import { attempt, type Failure, reasons } from '../../builds/failure.ts';
import { Configuration } from '../../config/config.ts';
import { blobOf, writeLayout } from '../../steps/oci-layout.ts';
import { createPersist } from '../persist.ts';
import { createRegistry } from './registry.ts';

/** A real registry on a small disk of its own, which is full. Only root can have one. */

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const asRoot = test.skipIf(process.getuid?.() !== 0);
let disk: SmallDisk;
let server: TestRegistry;
let folder = '';

beforeAll(async () => {
  if (process.getuid?.() !== 0) return;
  disk = smallDisk(16);
  server = await startRegistry({ data: disk.folder });
  folder = await mkdtemp(join(tmpdir(), 'registry-full-'));
});
afterAll(async () => {
  if (process.getuid?.() !== 0) return;
  await server.close();
  disk[Symbol.dispose]();
  await rm(folder, { recursive: true });
});

/** Waits for so long in all; `told` hears of each wait. */
async function connect(total: number, told: () => void = () => {}) {
  const listener = { retrying: told, recovered: told };
  return createRegistry(Configuration.parse({ remotes: { demo: { push: server.host } } }), {
    folder,
    persist: createPersist({ total, first: 5, longest: 50 }, { listener }),
  });
}

/** An image with a layer of so many bytes that nobody has. */
async function layout(bytes: number): Promise<string> {
  const path = await mkdtemp(join(folder, 'layout-'));
  await writeLayout(path, {
    config: blobOf('application/vnd.example.v1+json', Buffer.from('{}')),
    layers: [blobOf('application/vnd.example.layer', randomBytes(bytes))],
  });
  return path;
}

asRoot(
  'what is pushed fails with whose it is and what to do, and works when there is room again',
  async () => {
    const registry = await connect(100);
    const name = `${server.host}/full/image`;
    const kept = await registry.pushLayout(await layout(1000), `${name}:kept`);
    const [small, large] = [await layout(1000), await layout(2 ** 23)];
    const pushes = {
      'of an image': () => registry.pushLayout(small, `${name}:small`),
      'of an image that does not fit into what is left': () =>
        registry.pushLayout(large, `${name}:large`),
      'of a further name': () => registry.copy(`${name}:kept`, `${name}:copied`),
    };
    for (const [what, push] of Object.entries(pushes)) {
      disk.fill();
      if (what.includes('is left')) disk.free(2 ** 22);
      const { failures } = (await attempt(push)) as { failures: readonly Failure[] };
      expect(failures, what).toEqual([
        expect.objectContaining({
          reason: 'registry-unavailable',
          detail: expect.stringContaining('full/image'),
          hint: expect.stringContaining('A registry whose storage is full answers 500'),
          about: { registry: server.host },
        }),
      ]);
      expect(reasons['registry-unavailable'].owner).toBe('infrastructure');
      expect((await registry.manifest(`${name}:kept`))?.digest).toBe(kept);
      disk.free();
      await expect(push(), what).resolves.toMatch(/^sha256:/);
    }
  },
);

asRoot('what waits for a full registry goes on by itself when room was made', async () => {
  disk.fill();
  const told = vi.fn(() => disk.free());
  const registry = await connect(20_000, told);
  const digest = await registry.pushLayout(await layout(1000), `${server.host}/full/late:1`);
  expect(told.mock.calls).toMatchObject([
    [{ what: `registry ${server.host}`, why: expect.stringContaining('500'), retry: 1 }],
    [`registry ${server.host}`],
  ]);
  expect((await registry.manifest(`${server.host}/full/late:1`))?.digest).toBe(digest);
});
