import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pushBusyboxImage } from '../../test/support/busybox-image.ts';
import { startRegistry, type TestRegistry } from '../../test/support/registry.ts';
import { operator, pipeline, smallBuild, tree } from '../../test/support/small-build.ts';
import { createBuilder } from '../adapters/builder/buildah.ts';
import { createRegistry } from '../adapters/registry/registry.ts';
import { attempt } from '../builds/failure.ts';
import { Configuration } from '../config/config.ts';
import { readText, sortedPaths, type TreeFile } from '../plan/file-tree.ts';
import type { Key } from '../plan/names.ts';
import { readArtifact, writeArtifact } from './artifact.ts';
import { runManifests } from './manifests/run-manifests.ts';
import { type ForeignCommand, runInBuilder, stdoutFile } from './run-in-builder.ts';
import type { StepContext } from './step.ts';

// One real sandbox for all: a registry, a base image of busybox, buildah.
const image = 'registry.example.com/base/runtime:1';
let server: TestRegistry;
let folder = '';
let base = '';

beforeAll(async () => {
  server = await startRegistry();
  folder = await mkdtemp(join(tmpdir(), 'tributary-run-'));
  base = await pushBusyboxImage(await registry(), `${server.host}/base/busybox:1`);
}, 30_000);
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

const slow = { tags: ['slow'], timeout: 60_000 };

test(
  'keeps what a script of the component prints, and passes words as they are',
  slow,
  async () => {
    const script =
      '#!/bin/sh\necho "noise" >&2\nmkdir -p made\necho "$GREETING|$1|$HOME_IS|$(cat config/a)"\n';
    const files = await runReal({
      source: new Map([...tree({ 'config/a': 'content' }), ['hack/run.sh', program(script)]]),
      run: ['hack/run.sh', 'it "is" $(id) \\ \'x\''],
      env: { GREETING: 'a = $HOME "b"' },
      keep: 'stdout',
    });
    expect(sortedPaths(files)).toEqual([stdoutFile]);
    expect(readText(files, stdoutFile)).toBe('a = $HOME "b"|it "is" $(id) \\ \'x\'||content\n');
  },
);

test('keeps the folder that a command leaves', slow, async () => {
  const script =
    '#!/bin/sh\nmkdir -p out/manifests\necho ignored\necho yes > out/manifests/a.yaml\n';
  const files = await runReal({
    source: new Map([['run.sh', program(script)]]),
    run: ['./run.sh'],
    env: {},
    keep: { folder: 'out' },
  });
  expect(files).toEqual(tree({ 'manifests/a.yaml': 'yes\n' }));
});

test('a command that fails says what it printed', slow, async () => {
  const source = new Map([
    ['run.sh', program('#!/bin/sh\necho "the config is broken" >&2\nexit 3\n')],
  ]);
  const result = await attempt(() =>
    runReal({ source, run: ['./run.sh'], env: {}, keep: 'stdout' }),
  );
  expect(!result.ok && result.failures[0].reason).toBe('command-failed');
  expect(!result.ok && JSON.stringify(result.failures)).toContain('the config is broken');
});

test("the manifests step keeps what the operator's generator leaves", slow, async () => {
  const script =
    '#!/bin/sh\nmkdir -p bundle/manifests\necho "kind: ClusterServiceVersion" > bundle/manifests/csv.yaml\n';
  await using build = await smallBuild();
  const context = await realContext(build.context());
  const reference = `${build.remote}/tributary:key-${build.plan.sources[operator]?.key}`;
  const files = new Map([['hack/bundle.sh', program(script)]]);
  await writeArtifact(build.registry, context.workdir, reference, {
    kind: 'source',
    metadata: {},
    files,
  });
  const bundle = {
    run: ['hack/bundle.sh'],
    image,
    env: {},
    output: 'bundle',
    when: 'operator ref',
  } as const;
  const components = {
    ...context.plan.product.components,
    [operator]: { aliases: [], tracks: {}, bundle },
  };
  const plan = { ...context.plan, product: { ...context.plan.product, components } };
  const output = await runManifests(
    {
      kind: 'manifests',
      id: 'manifests',
      component: operator,
      key: 'c'.repeat(64) as Key,
      needs: [],
      group: 'x',
      weight: 1,
    },
    { ...context, plan: plan as never },
  );
  if (!('digest' in output)) throw new Error('no digest');
  const made = await readArtifact(build.registry, `${build.remote}/tributary@${output.digest}`);
  expect(made).toMatchObject({
    kind: 'manifests',
    metadata: { component: operator },
    files: tree({ 'manifests/csv.yaml': 'kind: ClusterServiceVersion\n' }),
  });
});

async function runReal(command: Pick<ForeignCommand, 'source' | 'run' | 'env' | 'keep'>) {
  await using build = await smallBuild();
  const context = await realContext(build.context());
  return await runInBuilder({ component: pipeline, image, ...command }, context);
}

async function realContext(context: StepContext): Promise<StepContext> {
  const builder = await createBuilder(configuration(), { state: join(folder, 'state') });
  return { ...context, builder, plan: { ...context.plan, bases: { [image]: base } } };
}

function registry() {
  return createRegistry(configuration(), { folder });
}

function configuration() {
  return Configuration.parse({ remotes: { demo: { push: server.host } } });
}

function program(content: string): TreeFile {
  return { mode: '100755', content: Buffer.from(content) };
}
