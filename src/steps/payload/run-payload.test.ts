import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { MemoryRegistry } from '../../../test/support/memory-registry.ts';
import { pipeline, type SmallBuild, smallBuild, tree } from '../../../test/support/small-build.ts';
import { createConfined } from '../../adapters/builder/confined.ts';
import { attempt, FailureError } from '../../builds/failure.ts';
import { type FileTree, readText, type TreeFile, textFile } from '../../plan/file-tree.ts';
import type { Key } from '../../plan/names.ts';
import type { StepOf } from '../../plan/plan.ts';
import type { Payload } from '../../product/product.ts';
import { readArtifact, writeArtifact } from '../artifact.ts';
import { blobOf, gzipLayer, mediaTypes, writeLayout } from '../oci-layout.ts';
import type { Builder, ContainerBuild, StepContext } from '../step.ts';
import { runPayload } from './run-payload.ts';

const image = 'registry.example.com/demo/controller:key-00ff';
const source: FileTree = new Map<string, TreeFile>([
  ...tree({
    'config/b.yaml': 'image: ko://example.com/cmd/controller\nversion: "devel"\n',
    'config/a/x.yaml': 'note: version devel\n',
    'config/skipped.yml': 'a: ko://example.com/unknown\n',
    'kustom/kustomization.yaml': 'resources: [d.yaml]\nnamespace: tekton\n',
    'kustom/d.yaml':
      'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: ko://example.com/cmd/controller}]}\n',
    'kodata/tekton/1.0.0/a.yaml': 'a',
    LICENSE: 'free',
  }),
  ['kodata/LICENSE', { mode: '120000', content: Buffer.from('../LICENSE') }],
  ['kodata/HEAD', { mode: '120000', content: Buffer.from('../.git/HEAD') }],
]);
const into = 'tekton-pipeline/{version}/00-pipelines.yaml';
const place = 'tekton-pipeline/0.68.0-tabc/00-pipelines.yaml';
const ko: Payload = {
  render: 'ko',
  inputs: [{ path: 'config', recursive: true }],
  markers: ['version: "devel"'],
  into,
  keep: ['tekton-pipeline/00-prereconcile/**'],
};

test('renders like ko, puts the version into markers, and says what it replaces', async () => {
  await using build = await smallBuild();
  const output = await runPayload(stepWith(ko), await contextWithSource(build));
  expect(await artifactOf(build, output)).toEqual({
    kind: 'payload',
    metadata: {
      component: pipeline,
      replaces: 'tekton-pipeline',
      version: '0.68.0-tabc',
      keep: ['tekton-pipeline/00-prereconcile/**'],
    },
    files: tree({
      [place]: `note: version devel\n---\nimage: ${image}\nversion: "0.68.0-tabc"\n---\n`,
    }),
  });
});

test('finds what it made before by its key, and makes it anew for a rebuild', async () => {
  await using build = await smallBuild();
  const context = await contextWithSource(build);
  const first = await runPayload(stepWith(ko), context);
  const written = (build.registry as MemoryRegistry).writes.length;
  expect(await runPayload(stepWith(ko), context)).toEqual({ ...first, reused: true });
  expect((build.registry as MemoryRegistry).writes).toHaveLength(written);
  expect(await runPayload(stepWith(ko), { ...context, rebuild: true })).toEqual(first);
  expect(build.logged.at(-1)).toBe('rebuilt: the same bytes as before');
});

test('says where a rebuild made other bytes under the same key', async () => {
  await using build = await smallBuild();
  const context = await contextWithSource(build);
  await runPayload(stepWith({ ...ko, markers: [] }), context);
  const second = await runPayload(stepWith(ko), { ...context, rebuild: true });
  expect(second).toMatchObject({ reused: false });
  expect(build.logged.at(-1)).toMatch(/^rebuilt: NOT the same bytes as before, which were sha256:/);
});

test('copies files as they are, links as what they lead to, and none that lead nowhere', async () => {
  await using build = await smallBuild();
  const rule: Payload = {
    render: 'copy',
    inputs: [{ path: 'kodata', recursive: false }],
    into: '.',
    keep: [],
  };
  const output = await runPayload(stepWith(rule), await contextWithSource(build));
  expect(await artifactOf(build, output)).toMatchObject({
    metadata: { replaces: null, version: null },
    files: tree({ 'tekton/1.0.0/a.yaml': 'a', LICENSE: 'free' }),
  });
  expect(build.logged.join('\n')).toContain('left out HEAD');
});

test('tells all references without image, of all files, at once', async () => {
  await using build = await smallBuild();
  const files = tree({
    'config/a.yaml': 'x: 1\nimage: ko://example.com/cmd/contoller\n',
    'config/b.yaml': 'image: ko://example.com/new\n',
  });
  const context = await contextWithSource(build, files);
  const result = await attempt(() => runPayload(stepWith(ko), context));
  expect(!result.ok && result.failures.map(({ reason, detail }) => `${reason} ${detail}`)).toEqual([
    'unresolved-image-reference config/a.yaml:2: no image of the product is ko://example.com/cmd/contoller.',
    'unresolved-image-reference config/b.yaml:1: no image of the product is ko://example.com/new.',
  ]);
});

test.for<[string, Payload, string]>([
  [
    'an input that is not there',
    { ...ko, inputs: [{ path: 'gone', recursive: false }] },
    'gone does not exist',
  ],
  [
    'a folder without manifests',
    { ...ko, inputs: [{ path: 'kodata/tekton', recursive: false }] },
    'no .yaml or .json file',
  ],
  [
    'a place outside of any folder',
    { ...ko, into: '{version}/x.yaml' },
    'is in no folder of its own',
  ],
  ['a place that is not known', { ...ko, into: 'a/{shipped}/x.yaml' }, '{shipped}'],
])('refuses %s', async ([, rule, detail]) => {
  await using build = await smallBuild();
  const context = await contextWithSource(build);
  await expect(runPayload(stepWith(rule), context)).rejects.toThrow(detail);
});

const command: Payload = {
  render: 'command',
  run: ['hack/release.sh', '--what', 'it "is" $HOME\n'],
  image: 'registry.example.com/base/runtime:1',
  env: { PAC_VERSION: '{version}' },
  markers: ['version: "devel"'],
  into,
  keep: [],
};

test('takes what a command prints, which runs nowhere but in the builder', async () => {
  await using build = await smallBuild();
  const builds: ContainerBuild[] = [];
  const builder = builderThatLeaves(
    { stdout: 'version: "devel"\nimage: ko://example.com/cmd/controller\n' },
    builds,
  );
  const context = { ...(await contextWithSource(build)), builder };
  const output = await runPayload(stepWith(command), context);
  const { files } = await artifactOf(build, output);
  expect(readText(files, place)).toBe(`version: "0.68.0-tabc"\nimage: ${image}\n`);
  expect(builds).toMatchObject([
    {
      network: false,
      args: {},
      platform: 'linux/amd64',
      bases: { [command.image]: `${command.image}@pinned` },
    },
  ]);
  expect(builds[0]?.dockerfile).toBe(
    [
      'FROM registry.example.com/base/runtime:1 AS command',
      'USER 0',
      'COPY ["source/", "/tributary/source/"]',
      'WORKDIR /tributary/source',
      'RUN ["/bin/sh","-c","mkdir /tributary/output && exec env \\"$@\\" > /tributary/output/stdout","sh","PAC_VERSION=0.68.0-tabc","hack/release.sh","--what","it \\"is\\" $HOME\\n"]',
      'FROM scratch',
      'COPY --from=command ["/tributary/output/","/"]',
      '',
    ].join('\n'),
  );
});

test('a command that fails or prints nothing is a failure of the ref', async () => {
  await using build = await smallBuild();
  const context = await contextWithSource(build);
  const failing = {
    tools: '',
    build: () =>
      Promise.reject(
        new FailureError({ reason: 'image-build-failed', detail: 'exit 1', hint: '' }),
      ),
  };
  const failed = await attempt(() =>
    runPayload(stepWith(command), { ...context, builder: failing }),
  );
  expect(!failed.ok && failed.failures[0].reason).toBe('command-failed');
  const silent = builderThatLeaves({ stdout: ' \n' });
  const empty = await attempt(() => runPayload(stepWith(command), { ...context, builder: silent }));
  expect(!empty.ok && empty.failures[0].reason).toBe('bad-payload');
});

const kustomize: Payload = { render: 'kustomize', path: 'kustom', markers: [], into, keep: [] };

test('builds a kustomization with the real kustomize', {
  tags: ['slow'],
  timeout: 30_000,
}, async () => {
  await using build = await smallBuild();
  const context = await contextWithSource(build);
  const tools = { ...context.configuration.tools, kustomize: kustomizeProgram() };
  const output = await runPayload(stepWith(kustomize), {
    ...context,
    confined: createConfined(),
    configuration: { ...context.configuration, tools },
  });
  const text = readText((await artifactOf(build, output)).files, place);
  expect(text).toContain('namespace: tekton');
  expect(text).toContain(`image: ${image}`);
});

test.for([
  [
    'a remote base',
    'resources: ["https://example.com/x//config?ref=1"]',
    'is not in the component',
  ],
  ['a short remote base', 'resources: [github.com/a/b]', 'is not in the component'],
  ['a base outside', 'bases: [../../etc]', 'is not in the component'],
  ['Helm', 'helmCharts: [{name: x}]', 'it uses Helm'],
] as const)('refuses %s before kustomize runs', async ([, text, detail]) => {
  await using build = await smallBuild();
  const files = new Map([...source, ['kustom/kustomization.yaml', textFile(text)] as const]);
  const context = await contextWithSource(build, files);
  await expect(runPayload(stepWith(kustomize), context)).rejects.toThrow(detail);
});

function kustomizeProgram(): string {
  const built = new URL('../../../.tools/bin/kustomize', import.meta.url).pathname;
  return existsSync(built) ? built : 'kustomize';
}

function stepWith(rule: Payload): StepOf<'payload'> {
  return {
    ...{
      kind: 'payload',
      id: `payload/${pipeline}`,
      component: pipeline,
      needs: [],
      group: 'x',
      weight: 1,
    },
    ...{ key: 'a'.repeat(64) as Key, rule, version: '0.68.0-tabc' },
    images: { 'example.com/cmd/controller': image },
  };
}

async function contextWithSource(build: SmallBuild, files = source): Promise<StepContext> {
  const context = build.context();
  const key = 'b'.repeat(64) as Key;
  const reference = `${build.remote}/tributary:key-${key}`;
  await writeArtifact(build.registry, context.workdir, reference, {
    kind: 'source',
    metadata: {},
    files,
  });
  const before = build.plan.sources[pipeline];
  if (before === undefined) throw new Error('no source');
  const sources = { ...build.plan.sources, [pipeline]: { ...before, key } };
  const bases = {
    'registry.example.com/base/runtime:1': 'registry.example.com/base/runtime:1@pinned',
  };
  return { ...context, plan: { ...build.plan, sources, bases } };
}

async function artifactOf(build: SmallBuild, output: Awaited<ReturnType<typeof runPayload>>) {
  if (!('digest' in output)) throw new Error('no digest');
  const reference = `${build.remote}/tributary@${output.digest}`;
  const artifact = await readArtifact(build.registry, reference);
  if (artifact === undefined) throw new Error(`no ${reference}`);
  const { digest: _, ...content } = artifact;
  return content;
}

/** A builder that makes an image of these files, whatever the Dockerfile says. */
function builderThatLeaves(files: Record<string, string>, builds: ContainerBuild[] = []): Builder {
  return {
    tools: 'none',
    async build(build) {
      builds.push(build);
      expect(await readFile(join(build.context, 'source/LICENSE'), 'utf8')).toBe('free');
      const { blob, diffId } = await gzipLayer(tree(files));
      const config = blobOf(
        mediaTypes.config,
        Buffer.from(JSON.stringify({ rootfs: { diff_ids: [diffId] } })),
      );
      await writeLayout(build.output, { config, layers: [blob] });
    },
  };
}
