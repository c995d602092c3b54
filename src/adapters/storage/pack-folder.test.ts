import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { privilege } from '../processes/sandbox.ts';
import { packFolder, unpackFolder } from './pack-folder.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-pack-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('the same files are the same bytes, however their pieces come', async () => {
  const files = join(folder, 'files');
  await mkdir(files);
  await writeFile(join(files, 'a'), randomBytes(300_000).toString('hex'));
  const digests = new Set<string>();
  for (let again = 0; again < 20; again++)
    digests.add((await packFolder(files, join(folder, 'packed'), privilege())).digest);
  expect(digests.size).toBe(1);
});

test('a file that cannot be written is an error, not a wait without end', async () => {
  await writeFile(join(folder, 'a'), randomBytes(1_000_000));
  const nowhere = join(folder, 'missing', 'packed');
  await expect(packFolder(folder, nowhere, privilege())).rejects.toThrow('ENOENT');
});

test('what was packed is unpacked, and what is damaged is refused', async () => {
  const [files, packed] = [join(folder, 'files'), join(folder, 'packed')];
  await mkdir(files);
  await writeFile(join(files, 'a'), randomBytes(300_000));
  await packFolder(files, packed, privilege());
  for (let again = 0; again < 10; again++) {
    const to = await mkdtemp(join(folder, 'to-'));
    await unpackFolder(packed, to, privilege());
    expect(await readFile(join(to, 'a'))).toEqual(await readFile(join(files, 'a')));
  }
  const to = await mkdtemp(join(folder, 'to-'));
  for (const bytes of [299_000, 100_000]) {
    await truncate(packed, bytes);
    await expect(unpackFolder(packed, to, privilege())).rejects.toThrow('cannot unpack');
  }
});
