import { mkdir, mkdtemp, readdir, readFile, readlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { pushBusyboxImage } from '../../../test/support/busybox-image.ts';
import { startRegistry, type TestRegistry } from '../../../test/support/registry.ts';
import { Configuration } from '../../config/config.ts';
import { textFile } from '../../plan/file-tree.ts';
import { writeArtifact } from '../../steps/artifact.ts';
import type { Registry } from '../../steps/step.ts';
import { briefPatience, createPersist } from '../persist.ts';
import { run } from '../processes/command.ts';
import { contained, privilege } from '../processes/sandbox.ts';
import { createRegistry } from '../registry/registry.ts';
import { filledBaseStore, openBaseStore } from './base-store.ts';
import { packBases, unpackBases } from './packed-bases.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 });

const platform = process.arch === 'arm64' ? 'linux/arm64' : 'linux/amd64';
const signal = new AbortController().signal;
const configuration = (host: string) => Configuration.parse({ remotes: { demo: { push: host } } });

let server: TestRegistry;
let registry: Registry;
let folder = '';
let packed = '';
/** What warnings said. */
let said: string[] = [];
const bases: string[] = [];

beforeAll(async () => {
  server = await startRegistry();
  folder = await mkdtemp(join(tmpdir(), 'packed-bases-'));
  packed = `${server.host}/tributary:bases-some`;
  registry = await createRegistry(configuration(server.host), { folder });
  for (const name of ['one', 'other']) {
    const files = new Map([[`opt/${name}`, textFile(name)]]);
    bases.push(await pushBusyboxImage(registry, `${server.host}/base/${name}:1`, files));
  }
  const persist = createPersist(briefPatience);
  const pulled = join(folder, 'pulled');
  const store = await openBaseStore(pulled, configuration(server.host), privilege(), persist);
  for (const base of bases) await (await store.pull(base, platform, () => {}, signal)).release();
  // As the image store has what a layer of an image removed.
  const layers = await readdir(join(pulled, 'root/overlay'));
  const layer = layers.find((name) => /^[0-9a-f]{64}$/.test(name)) ?? '';
  await inside(['mknod', join(pulled, 'root/overlay', layer, 'removed'), 'c', '0', '0']);
  const log = (text: string) => void said.push(text);
  const means = { registry, privilege: privilege(), workdir: folder, log, signal };
  await packBases(pulled, packed, means);
  expect(said).toEqual([]);
  await packBases(join(folder, 'missing'), `${packed}-not`, means);
  expect(said.join('\n')).toContain('warning: the base images are not packed: ');
  expect(await registry.manifest(`${packed}-not`)).toBeUndefined();
});
afterAll(async () => {
  await inside(['rm', '-rf', folder]);
  await server.close();
});

async function inside(command: readonly string[]): Promise<string> {
  const line = contained(privilege(), command, { network: false });
  const { exitCode, stdout, stderr } = await run(line.program, line.args, {
    ...{ cwd: '/', env: line.env },
  });
  expect(exitCode, stderr).toBe(0);
  return stdout.toString();
}

function unpack(to: string, reference = packed): Promise<boolean> {
  const log = (text: string) => void said.push(text);
  const means = { registry, privilege: privilege(), workdir: folder, log, signal };
  said = [];
  return unpackBases(reference, to, means);
}

test('base images that were packed are there for builds, as they were pulled', async () => {
  const to = join(folder, 'unpacked');
  expect(await unpack(to)).toBe(true);
  expect(said).toEqual([]);
  const store = filledBaseStore(to, privilege());
  for (const [index, name] of ['one', 'other'].entries()) {
    const base = bases[index] ?? '';
    await (await store.pull(base, platform, () => {}, signal)).release();
    const [copy, scratch] = [join(folder, `copy-${name}`), join(folder, `scratch-${name}`)];
    for (const path of [copy, scratch]) await mkdir(path);
    await store.copyFolder(base, '/opt', copy, scratch, signal);
    expect(await readFile(join(copy, name), 'utf8')).toBe(name);
  }
  const links = join(to, 'root/overlay/l');
  const [link = ''] = await readdir(links);
  expect(await readlink(join(links, link))).toMatch(/^\.\.\/.*\/diff$/);
  const found = await inside(['find', to, '-name', 'removed', '-type', 'c', '-printf', '%f']);
  expect(found).toBe('removed');
});

test('what was not packed, or is no pack, is left: base images are pulled then', async () => {
  expect(await unpack(join(folder, 'none'), `${server.host}/tributary:bases-none`)).toBe(false);
  expect(said).toEqual([]);
  const strange = `${server.host}/tributary:bases-strange`;
  const files = new Map([['pulled/one', textFile('')]]);
  await writeArtifact(registry, folder, strange, { kind: 'bases', metadata: {}, files });
  const broken: Registry = {
    ...registry,
    async pullLayout(from, layout) {
      const digest = await registry.pullLayout(from, layout);
      const blobs = join(layout, 'blobs/sha256');
      for (const blob of await readdir(blobs))
        await inside(['truncate', '-s', '9', join(blobs, blob)]);
      return digest;
    },
  };
  const to = join(folder, 'broken');
  const log = (text: string) => void said.push(text);
  const means = { registry: broken, privilege: privilege(), workdir: folder, log, signal };
  expect(await unpackBases(packed, to, means)).toBe(false);
  expect(said.join('\n')).toContain('warning: ');
  expect(await readdir(to)).toEqual([]);
});
