import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { MemoryRegistry } from '../../test/support/memory-registry.ts';
import { type TreeFile, textFile } from '../plan/file-tree.ts';
import { readArtifact, writeArtifact } from './artifact.ts';

const content = {
  kind: 'payload',
  metadata: { component: 'tektoncd/pipeline', keep: ['a/**'] },
  files: new Map<string, TreeFile>([
    ['a/b.yaml', textFile('a: 1\n')],
    ['link', { mode: '120000', content: Buffer.from('/etc/passwd') }],
  ]),
};
const reference = 'registry.example.com/demo/tributary:key-0123';

test('reads back what was written, and leaves no file behind', async () => {
  const [registry, workdir] = [new MemoryRegistry(), await temporaryFolder()];
  const digest = await writeArtifact(registry, workdir, reference, content);
  expect(await readArtifact(registry, reference)).toEqual({ digest, ...content });
  expect(await readdir(workdir)).toEqual([]);
});

test('gives the same content the same digest', async () => {
  const [registry, workdir] = [new MemoryRegistry(), await temporaryFolder()];
  const reordered = { ...content, files: new Map([...content.files].reverse()) };
  expect(await writeArtifact(registry, workdir, `${reference}-b`, reordered)).toBe(
    await writeArtifact(registry, workdir, `${reference}-a`, content),
  );
});

test('knows no artifact where there is none', async () => {
  expect(await readArtifact(new MemoryRegistry(), reference)).toBeUndefined();
});

test('carries no files at all', async () => {
  const [registry, workdir] = [new MemoryRegistry(), await temporaryFolder()];
  const nothing = { kind: 'plan', metadata: null, files: new Map() };
  const digest = await writeArtifact(registry, workdir, reference, nothing);
  expect(await readArtifact(registry, reference)).toEqual({ digest, ...nothing });
});

async function temporaryFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-artifact-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
