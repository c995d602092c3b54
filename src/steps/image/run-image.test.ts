import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MemoryRegistry } from '../../../test/support/memory-registry.ts';
import { FailureError } from '../../builds/failure.ts';
import { type FileTree, textFile } from '../../plan/file-tree.ts';
import type { StepOf } from '../../plan/plan.ts';
import { writeArtifact } from '../artifact.ts';
import { blobOf, mediaTypes, writeLayout } from '../oci-layout.ts';
import type { ContainerBuild, StepContext } from '../step.ts';
import { runImage } from './run-image.ts';

const key = 'a'.repeat(64);
const step = {
  ...{
    id: 'image/controller',
    kind: 'image',
    needs: [],
    key,
    group: 'tektoncd/pipeline',
    weight: 1,
  },
  ...{ image: 'controller', bases: { base: 'r/base@sha256:0' }, args: { A: '1' } },
  ...{ network: false, platform: 'linux/amd64', final: true },
} as unknown as StepOf<'image'>;

let workdir = '';
let registry: MemoryRegistry;
let said: string[];
let builds: (ContainerBuild & { readonly files: readonly string[] })[];
/** What the next build makes. */
let made = 'first';

beforeEach(async () => {
  workdir = await mkdtemp(join(tmpdir(), 'run-image-'));
  registry = new MemoryRegistry();
  [said, builds, made] = [[], [], 'first'];
  await putSource('b'.repeat(64), new Map([['main.go', textFile('package main')]]));
  await putSource(
    'c'.repeat(64),
    new Map([['distgit/controller/Dockerfile', textFile('FROM base\n')]]),
  );
});
afterEach(() => rm(workdir, { recursive: true, force: true }));

function putSource(hex: string, files: FileTree) {
  const reference = `push/tributary:key-${hex}`;
  return writeArtifact(registry, workdir, reference, { kind: 'source', metadata: {}, files });
}

function context(more: Partial<StepContext> = {}): StepContext {
  return {
    plan: {
      ...{ tag: 'test-abcdef', lock: { remote: { push: 'push', pull: 'pull' } } },
      sources: { 'tektoncd/pipeline': { key: 'b'.repeat(64), patchesLeft: [] } },
      productSource: { key: 'c'.repeat(64) },
      product: {
        components: { 'tektoncd/pipeline': {} },
        images: {
          controller: {
            context: 'distgit/controller',
            dockerfile: 'Dockerfile',
            of: ['tektoncd/pipeline'],
          },
        },
      },
    } as unknown as StepContext['plan'],
    outputs: {},
    configuration: { network: [] } as unknown as StepContext['configuration'],
    ...{ registry, workdir, rebuild: false, signal: new AbortController().signal },
    builder: { tools: 'fake', build },
    makeAlone: (_reference, _waiting, work) => work(),
    remember: (_question, findOut) => findOut(),
    make: { run: () => Promise.reject(new Error('not here')) },
    confined: { run: () => Promise.reject(new Error('not here')) },
    log: (text) => said.push(text),
    progress: (text) => said.push(text),
    ...more,
  };
}

async function build(wish: ContainerBuild): Promise<void> {
  builds.push({ ...wish, files: (await readdir(wish.context, { recursive: true })).sort() });
  const config = Buffer.from(JSON.stringify({ made }));
  await writeLayout(wish.output, { config: blobOf(mediaTypes.config, config), layers: [] });
}

test('builds what the registry lacks, from the composed context, and tags it', async () => {
  const output = await runImage(step, context());
  const { digest } = output as { digest: string };
  expect(output).toEqual({
    kind: 'image',
    key,
    reused: false,
    digest,
    image: `pull/controller@${digest}`,
  });
  expect(builds).toMatchObject([
    {
      ...{ dockerfile: 'FROM base\n', bases: step.bases, args: { A: '1' }, network: false },
      files: ['Dockerfile', 'remote-source', 'remote-source/app', 'remote-source/app/main.go'],
    },
  ]);
  expect((await registry.manifest(`push/controller:key-${key}`))?.digest).toBe(digest);
  expect((await registry.manifest('push/controller:test-abcdef'))?.digest).toBe(digest);
});

test('uses what is there by its key, and only tags it', async () => {
  const first = await runImage(step, context());
  made = 'another';
  const again = await runImage(step, context());
  expect(again).toEqual({ ...first, reused: true });
  expect(builds).toHaveLength(1);
});

test('leaves the tag to the step that puts the payload on top', async () => {
  await runImage({ ...step, final: false }, context());
  expect(await registry.manifest('push/controller:test-abcdef')).toBeUndefined();
});

test('a rebuild builds again and tells of other bytes', async () => {
  await runImage(step, context());
  await runImage(step, context({ rebuild: true }));
  expect(said.join('\n')).not.toContain('another digest');
  made = 'another';
  const output = await runImage(step, context({ rebuild: true }));
  expect(output).toMatchObject({ reused: false });
  expect(builds).toHaveLength(3);
  expect(said.join('\n')).toContain('rebuilt with another digest');
});

test('the network must be allowed by the configuration too', async () => {
  const error = await runImage({ ...step, network: true }, context()).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(FailureError);
  expect(error.failures[0]).toMatchObject({ reason: 'bad-configuration' });
  const configuration = { network: ['controller'] } as unknown as StepContext['configuration'];
  await runImage({ ...step, network: true }, context({ configuration }));
  expect(builds).toMatchObject([{ network: true }]);
});

test('a container folder without Dockerfile is the fault of the product', async () => {
  await putSource('c'.repeat(64), new Map([['README.md', textFile('')]]));
  const error = await runImage(step, context()).catch((thrown) => thrown);
  expect(error.failures[0]).toMatchObject({
    reason: 'bad-product',
    about: { file: 'distgit/controller/Dockerfile' },
  });
});
