import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { pushBusyboxImage } from '../../../test/support/busybox-image.ts';
import { startRegistry, type TestRegistry } from '../../../test/support/registry.ts';
import { Configuration } from '../../config/config.ts';
import { textFile } from '../../plan/file-tree.ts';
import { readLayout } from '../../steps/oci-layout.ts';
import type { Registry } from '../../steps/step.ts';
import { createRegistry } from '../registry/registry.ts';
import { createBuilder } from './buildah.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 });

const platform = process.arch === 'arm64' ? 'linux/arm64' : 'linux/amd64';
const cacheFolder = '/var/cache/compiler';

let server: TestRegistry;
let registry: Registry;
let folder = '';
let base = '';
let count = 0;

beforeAll(async () => {
  server = await startRegistry();
  folder = await mkdtemp(join(tmpdir(), 'compile-caches-'));
  registry = await createRegistry(configuration(), { folder });
  const files = new Map([[`${cacheFolder.slice(1)}/of-the-image`, textFile('of the image')]]);
  base = await pushBusyboxImage(registry, `${server.host}/base/toolset:1`, files);
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

function configuration() {
  return Configuration.parse({ remotes: { demo: { push: server.host } } });
}

interface Machine {
  readonly state: string;
  readonly isolation?: 'oci' | 'chroot';
}

/** A machine that nothing was built on; each test has its own product. */
function newMachine(): Machine {
  return { state: join(folder, `state-${count++}`) };
}

/** Builds images one after the other in one process, as a group; gives what their RUNs printed, and their digests. */
async function buildGroup(
  { state, isolation = 'oci' }: Machine,
  product: string,
  runs: readonly { readonly run: string; readonly own: boolean }[],
  cached = true,
) {
  const builder = await createBuilder(configuration(), { state, isolation, registry });
  const images = [];
  for (const { run, own } of runs) {
    const output = join(folder, `output-${count++}`);
    const context = join(folder, `context-${count++}`);
    await mkdir(context);
    // What is compiled is worth keeping: some hundred kilobytes.
    await writeFile(join(context, 'object'), Buffer.alloc(300_000, product));
    const cache = {
      folders: [cacheFolder],
      group: 'image/a/b',
      seeds: `${server.host}/${product}`,
      own,
    };
    let printed = '';
    const dockerfile = `FROM base AS build\nCOPY object /object\nRUN ${run}\nFROM base\nCOPY --from=build /object /object\nRUN ls ${cacheFolder} >/listed\n`;
    await builder.build(
      {
        ...{ dockerfile, bases: { base }, args: {}, platform, network: false, output, context },
        ...(cached ? { cache } : {}),
      },
      (text) => (printed += text),
      new AbortController().signal,
    );
    images.push({ printed, digest: (await readLayout(output)).digest });
  }
  await builder.close({ keepCaches: true, log: () => {} });
  expect(await readdir(join(state, 'storage/builds'))).toEqual([]);
  return images;
}

/** Takes from the cache what is there, or “compiles” it; says which, and what else lies there. */
const compile = `set -e; if [ -e ${cacheFolder}/made ]; then echo hit; else echo miss; cp object ${cacheFolder}/made; fi; cmp object ${cacheFolder}/made; echo have $(ls ${cacheFolder})`;
const own = { run: compile, own: true };
const foreign = { run: compile, own: false };
const hit = /hit\nhave made of-the-image\n/;

test('what the own sources compile, others begin with, here and elsewhere; no byte of an image depends on it, and no hostile RUN changes it', async () => {
  const machine = newMachine();
  const [without] = await buildGroup(newMachine(), 'plain', [own], false);
  const [first, second] = await buildGroup(machine, 'plain', [own, own]);
  expect(first?.printed).toContain('no seed yet');
  expect(first?.printed).toMatch(/miss\nhave made of-the-image\n/);
  expect(second?.printed).toMatch(hit);
  const [pull] = await buildGroup(machine, 'plain', [foreign]);
  expect(pull?.printed).toMatch(hit);

  const hostile = {
    run: `rm ${cacheFolder}/of-the-image; echo garbage >${cacheFolder}/made; echo bad >${cacheFolder}/planted; find / -name made -not -path '/proc/*'`,
    own: false,
  };
  const look = { run: `cat ${cacheFolder}/planted ${cacheFolder}/made`, own: false };
  const [attack, sibling] = await buildGroup(machine, 'plain', [hostile, look]);
  // Nothing below the stack is to be seen, let alone to be written to.
  expect(attack?.printed.match(/^\/.*made$/gm)).toEqual([`${cacheFolder}/made`]);
  expect(sibling?.printed).toContain('bad\ngarbage\n');

  const [after] = await buildGroup(machine, 'plain', [own]);
  const [elsewhere] = await buildGroup(newMachine(), 'plain', [foreign]);
  const [chroot] = await buildGroup({ ...machine, isolation: 'chroot' }, 'plain', [foreign]);
  for (const image of [after, elsewhere, chroot]) expect(image?.printed).toMatch(hit);
  for (const image of [first, second, pull, after, elsewhere, chroot])
    expect(image?.digest).toBe(without?.digest);

  // What somebody else put in the place of the seed costs time, and nothing else.
  const [, reference = ''] = /seed (\S+), 1 layers/.exec(pull?.printed ?? '') ?? [];
  await registry.copy(base, reference);
  const [broken] = await buildGroup(machine, 'plain', [foreign]);
  expect(broken?.printed).toMatch(/warning: the seed .* is not used: it is not an artifact/);
  expect(broken?.printed).toContain('miss\n');
});

test('nothing becomes a seed once anything foreign ran in the group', async () => {
  const [first] = await buildGroup(newMachine(), 'mixed', [own, foreign]);
  const [, reference = ''] = /no seed yet \((\S+)\)/.exec(first?.printed ?? '') ?? [];
  expect(await registry.manifest(reference)).toBeUndefined();
});
