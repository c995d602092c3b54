import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { privilege } from '../processes/sandbox.ts';
import { packFolder } from './pack-folder.ts';

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
