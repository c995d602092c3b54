import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { failureOf } from '../../../test/support/failure-of.ts';
import { run } from '../../adapters/processes/command.ts';
import { createFolderRegistry } from '../../adapters/registry/folder-registry.ts';
import { textFile } from '../../plan/file-tree.ts';
import { blobFile, blobOf, gzipLayer, mediaTypes, readLayout, writeLayout } from '../oci-layout.ts';
import { readMade } from './read-made.ts';
import { referenceFile } from './unit-folder.ts';

const reference = 'registry.example.com/team/image:key-1';
const limit = 2 ** 20;
let folder = '';
let registry = '';
/** A secret of the container that pushes. */
let secret = '';
let count = 0;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'read-made-'));
  registry = join(folder, 'out');
  secret = join(folder, 'secret');
  await writeFile(secret, 'push credential');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What `run` leaves: one image, with a layer of its own. */
async function make() {
  const { blob } = await gzipLayer(new Map([['a', textFile('A')]]));
  const layout = join(folder, `made-${count++}`);
  const config = blobOf(mediaTypes.config, Buffer.from('{}'));
  const digest = await writeLayout(layout, { config, layers: [blob] });
  await createFolderRegistry({ writes: registry }).pushLayout(layout, reference);
  return { digest, layer: blobFile(registry, blob.digest), manifest: blobFile(registry, digest) };
}

const read = (options = { limit }) =>
  readMade(registry, reference, join(folder, `read-${count++}`), options);

test('what was made is read as it was made', async () => {
  const { digest } = await make();
  const layout = join(folder, 'layout');
  expect(await readMade(registry, reference, layout, { limit })).toBe(true);
  expect((await readLayout(layout)).digest).toBe(digest);
});

test('where nothing was made there is nothing', async () => {
  expect(await read()).toBe(false);
  await make();
  expect(await readMade(registry, `${reference}0`, join(folder, 'other'), { limit })).toBe(false);
});

const attacks: readonly [string, (made: Awaited<ReturnType<typeof make>>) => Promise<unknown>][] = [
  [
    'a layer that is a link to a file of the container that pushes',
    ({ layer }) => relink(layer, secret),
  ],
  ['a manifest that is a link', ({ manifest }) => relink(manifest, secret)],
  ['a note that is a link', () => relink(referenceFile(registry, reference), secret)],
  ['a folder that is a link to another', () => redirect('blobs')],
  ['a folder of blobs that is a link to another', () => redirect('blobs/sha256')],
  ['a folder of notes that is a link to another', () => redirect('references')],
  ['a layer with other bytes', ({ layer }) => writeFile(layer, 'other')],
  ['a layer with as many other bytes', ({ layer }) => changeByte(layer)],
  ['a manifest with other bytes', ({ manifest }) => writeFile(manifest, '{}')],
  ['a layer that is missing', ({ layer }) => rm(layer)],
  ['a layer without end', ({ layer }) => truncate(layer, 2 ** 40)],
  ['a note without end', () => truncate(referenceFile(registry, reference), 2 ** 40)],
  ['a layer that is a pipe', ({ layer }) => pipe(layer)],
  ['a note that is no JSON', () => writeFile(referenceFile(registry, reference), 'x')],
  [
    'a note of something else',
    ({ digest }) => note({ reference: 'registry.example.com/x:1', digest }),
  ],
  ['a note that leads out', () => note({ reference, digest: 'sha256:../../../secret' })],
];

test.for(attacks)('%s is refused', async ([, attack]) => {
  await attack(await make());
  expect(await failureOf(read())).toMatchObject({ reason: 'strange-output' });
});

test('more than a build may leave is refused', async () => {
  await make();
  expect(await failureOf(read({ limit: 10 }))).toMatchObject({ reason: 'strange-output' });
});

test('a blob that the registry has may be missing', async () => {
  const { layer } = await make();
  await rm(layer);
  const known = new Set([`sha256:${layer.slice(-64)}`]);
  expect(await read({ limit, known } as { limit: number })).toBe(true);
});

test('a blob that no manifest names is not part of what is read', async () => {
  const { layer } = await make();
  await symlink(secret, `${layer.slice(0, -64)}${'0'.repeat(64)}`);
  expect(await read()).toBe(true);
  expect(await readdir(join(registry, 'blobs/sha256'))).toHaveLength(4);
});

async function relink(file: string, to: string) {
  await rm(file);
  await symlink(to, file);
}

/** The same content, but elsewhere. */
async function redirect(inner: string) {
  const aside = join(folder, 'aside');
  await rename(join(registry, inner), aside);
  await symlink(aside, join(registry, inner));
}

async function changeByte(file: string) {
  const bytes = await readFile(file);
  bytes[20] = (bytes[20] ?? 0) ^ 1;
  await writeFile(file, bytes);
}

async function pipe(file: string) {
  await rm(file);
  await run('mkfifo', [file], { cwd: folder });
}

async function note(content: object) {
  await mkdir(join(registry, 'references'), { recursive: true });
  await writeFile(referenceFile(registry, reference), JSON.stringify(content));
}
