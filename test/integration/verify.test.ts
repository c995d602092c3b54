import { afterEach, beforeEach, expect, test } from 'vitest';
import { FailureError } from '../../src/builds/failure.ts';
import { type FileTree, textFile, withFiles } from '../../src/plan/file-tree.ts';
import { sourceKey } from '../../src/plan/keys.ts';
import type { CommitSha, ComponentName, Digest, Key, TreeSha } from '../../src/plan/names.ts';
import type { Plan, StepOutput } from '../../src/plan/plan.ts';
import { readArtifact, writeArtifact } from '../../src/steps/artifact.ts';
import { readImageFiles } from '../../src/steps/image-files.ts';
import { runIndex } from '../../src/steps/index/run-index.ts';
import type { MemoryRegistry } from '../support/memory-registry.ts';
import { type SmallBuild, type SmallBuildOptions, smallBuild } from '../support/small-build.ts';
import {
  operator,
  pipeline,
  smallProduct,
  smallUpstreamSources,
  tree,
} from '../support/small-product.ts';
import {
  changePlan,
  digestOf as digestIn,
  finishBuild,
  verifyBuild,
  verifyFailures,
} from '../support/verify-build.ts';

let build: SmallBuild;
const start = async (options?: SmallBuildOptions) => {
  await build?.[Symbol.asyncDispose]();
  build = await smallBuild(options);
  await finish();
};
beforeEach(() => start());
afterEach(() => build[Symbol.asyncDispose]());

test('a build that holds what was asked for passes, and each component is listed at each place', async () => {
  const output = await verify();
  expect(output.unpullable).toEqual([]);
  expect(
    output.inclusion.map(({ component, place, requested }) => [component, place, requested]),
  ).toEqual([
    [operator, 'image/operator', false],
    [pipeline, 'image/controller', true],
    [operator, 'payload', false],
    [pipeline, 'payload', true],
  ]);
  expect(output.inclusion[1]).toMatchObject({
    ...{ outcome: 'included', commit: build.plan.sources[pipeline]?.commit },
    proof: expect.stringContaining('/kodata/HEAD in the image says so too'),
  });
});

test('a place that carries a requested component as a module is listed as not from the ref', async () => {
  const go = 'module github.com/tektoncd/operator\nrequire github.com/tektoncd/pipeline v1.2.0\n';
  await start({ operatorFiles: tree({ 'go.mod': go }) });
  const { inclusion } = await verify();
  expect(inclusion.at(-1)).toMatchObject({
    ...{ component: pipeline, place: 'image/operator', outcome: 'not-from-your-ref' },
    proof: expect.stringContaining('Go module github.com/tektoncd/pipeline v1.2.0'),
  });
});

test('a CSV that points at a stale image fails with component, expected and found', async () => {
  const stale = `sha256:${'5'.repeat(64)}` as Digest;
  const fresh = digestOf('image/controller');
  await replaceCsv((text) => text.replaceAll(fresh, stale));
  const failures = await failing();
  expect(failures[0]?.about).toEqual({
    component: pipeline,
    place: 'image/controller',
    expected: `${build.remote}/controller@${fresh}`,
    found: `${build.remote}/controller@${stale}`,
  });
});

test('a stale image under one of its places alone fails too', async () => {
  const fresh = `${build.remote}/controller@${digestOf('image/controller')}`;
  const foreign = `quay.io/released/controller@sha256:${'5'.repeat(64)}`;
  await replaceCsv((text) => text.replace(fresh, foreign));
  const failures = await failing();
  expect(failures).toHaveLength(1);
  expect(failures[0]?.about).toMatchObject({
    component: pipeline,
    expected: fresh,
    found: foreign,
  });
});

test('a stale file in kodata fails with component, expected and found', async () => {
  const stale = 'tekton-pipeline/0.99.0/00-pipelines.yaml';
  await start({ kodata: (files) => withFiles(files, tree({ [stale]: 'old' })) });
  const failures = await failing();
  expect(failures.map(({ about }) => about)).toEqual([
    {
      component: pipeline,
      place: 'payload in image/operator',
      expected: 'no such file',
      found: stale,
    },
  ]);
});

test('an image that the bundle leaves out fails with component, expected and found', async () => {
  const image = `${build.remote}/controller@${digestOf('image/controller')}`;
  await replaceCsv((text) =>
    text
      .replace(/ +- name: IMAGE_PIPELINES_CONTROLLER[^\n]*\n +value: [^\n]+\n/, '')
      .replace(/ +- name: IMAGE_PIPELINES_CONTROLLER\n +image: [^\n]+\n/, ''),
  );
  const failures = await failing();
  expect(failures[0]?.about).toEqual({
    component: pipeline,
    place: 'image/controller',
    expected: image,
    found: 'no such image',
  });
});

test.for<[string, (files: FileTree) => FileTree, string]>([
  ['a file that is missing', (files) => new Map([...files].slice(1)), 'no such file'],
  ['other content', (files) => withFiles(files, tree({ 'addons/a.yaml': 'x' })), 'other content'],
  [
    'another mode',
    (files) => new Map([...files, ['addons/a.yaml', textFile('addon', '100755')]]),
    'other content',
  ],
])('%s in kodata fails', async ([, kodata, found]) => {
  await start({ kodata });
  expect((await failing())[0]?.about).toMatchObject({ expected: 'addons/a.yaml', found });
});

test('an operator image without the mark that hides the folder below fails', async () => {
  const key = (build.outputs['operator-payload/operator'] as { key: Key }).key;
  const layers = [
    tree({ 'ko-app/operator': 'program', 'kodata/old.yaml': 'old' }),
    tree({ 'kodata/addons/a.yaml': 'addon' }),
  ];
  await repush('operator', key, layers);
  const details = (await failing()).map(({ detail }) => detail);
  expect(details).toContainEqual(expect.stringContaining('does not hide'));
});

test('an operator image on other layers than its base fails', async () => {
  const key = (build.outputs['operator-payload/operator'] as { key: Key }).key;
  await repush('operator', key, [
    tree({ 'ko-app/operator': 'another' }),
    tree({ 'kodata/.wh..wh..opq': '' }),
  ]);
  const details = (await failing()).map(({ detail }) => detail);
  expect(details).toContainEqual(
    expect.stringContaining('not the operator image with one layer on top'),
  );
});

test('a tag that someone moved fails', async () => {
  await build.pushImage(`${build.remote}/controller:${build.plan.tag}`, tree({ a: 'other' }));
  expect((await failing())[0]?.about).toMatchObject({
    place: 'image/controller',
    expected: digestOf('image/controller'),
  });
});

test('a bundle tag that someone moved fails', async () => {
  await build.pushImage(`${build.remote}/operator-bundle:${build.plan.tag}`, tree({ a: 'other' }));
  expect((await failing())[0]?.about).toMatchObject({
    place: 'bundle',
    expected: digestOf('bundle'),
  });
});

test('an index of another bundle fails', async () => {
  const catalog = JSON.stringify({ schema: 'olm.bundle', image: 'quay.io/other@sha256:1' });
  const reference = `${build.remote}/operator-index:${build.plan.tag}`;
  await build.pushImage(reference, tree({ 'configs/small/catalog.json': catalog }));
  expect((await failing())[0]?.about).toMatchObject({
    place: 'index',
    found: 'quay.io/other@sha256:1',
  });
});

test('an image that names another commit than the one it was built from fails', async () => {
  const commit = build.plan.sources[pipeline]?.commit;
  const key = (build.outputs['image/controller'] as { key: Key }).key;
  const digest = await repush('controller', key, [tree({ 'kodata/HEAD': `${'b'.repeat(40)}\n` })]);
  build.outputs['image/controller'] = {
    ...(build.outputs['image/controller'] as object),
    digest,
  } as StepOutput;
  await finish();
  expect((await failing()).map(({ about }) => about)).toEqual([
    { component: pipeline, place: 'image/controller', expected: commit, found: 'b'.repeat(40) },
  ]);
});

test('a source whose files are not those of the plan fails', async () => {
  await rewriteSource(tree({ 'main.go': 'package evil\n' }), {});
  const expected = `tree ${build.plan.sources[pipeline]?.tree}`;
  expect((await failing())[0]?.about).toMatchObject({
    component: pipeline,
    place: 'source',
    expected,
  });
});

test('a commit object that is not the commit fails', async () => {
  await rewriteSource(undefined, {
    commitObject: Buffer.from('tree 0\n\nmade up\n').toString('base64'),
  });
  expect((await failing())[0]?.about).toMatchObject({
    component: pipeline,
    expected: build.plan.sources[pipeline]?.commit,
  });
});

test('a merge of other parents than the lock pins fails', async () => {
  const from = build.plan.sources[pipeline]?.from;
  if (from?.kind !== 'merge') throw new Error('the small build merges');
  const other = { ...from, commit: 'd'.repeat(40) as CommitSha };
  setPlan({
    sources: {
      ...build.plan.sources,
      [pipeline]: { ...build.plan.sources[pipeline], from: other },
    },
  } as Partial<Plan>);
  expect((await failing())[0]?.about).toMatchObject({
    component: pipeline,
    expected: `${from.base.commit} ${'d'.repeat(40)}`,
  });
});

test('a requested component that nothing reaches fails', async () => {
  const lost = 'tektoncd/lost' as ComponentName;
  const commit = 'd'.repeat(40) as CommitSha;
  const commitTree = 'e'.repeat(40) as TreeSha;
  const url = 'https://github.com/tektoncd/lost';
  const from = { kind: 'head', url, ref: 'refs/heads/x', commit } as const;
  const source = { from, requested: true, commit, commitTree, tree: commitTree, version: '0.0.0' };
  const key = sourceKey({ commit, tree: commitTree });
  const components = {
    ...smallProduct.components,
    [lost]: { repository: url, aliases: [], tracks: {} },
  };
  await start({
    product: { components },
    productFiles: tree({
      'upstream_sources.yaml': `${smallUpstreamSources}- {url: ${url}, branch: main, commit: ${commit}}\n`,
    }),
    otherSources: { [lost]: { ...source, key, patchesLeft: [] } },
  });
  expect((await failing()).map(({ about }) => about)).toEqual([
    expect.objectContaining({ component: lost, place: 'bundle', found: 'nowhere' }),
  ]);
});

test('what a cluster could not pull is listed with the remedy, and fails nothing', async () => {
  const registry = build.registry as MemoryRegistry;
  registry.pullable = (async (reference: string) => {
    if (reference.includes('/base/')) {
      throw new FailureError({ reason: 'registry-unavailable', detail: 'no such host', hint: '' });
    }
    return {
      anonymously: !reference.includes('/controller'),
      withSecret: reference.includes('/controller') ? false : null,
    };
  }) as never;
  const { unpullable } = await verify();
  expect(unpullable).toEqual([
    {
      image: 'registry.example.com/base/shell:1',
      how: 'at all',
      remedy: expect.stringContaining('mirror'),
    },
    {
      image: `${build.remote}/controller@${digestOf('image/controller')}`,
      how: 'with the pull secret',
      remedy: expect.stringContaining('pull secret'),
    },
  ]);
});

const finish = () => finishBuild(build);
const verify = () => verifyBuild(build);
const failing = () => verifyFailures(build);
const setPlan = (changes: Partial<Plan>) => changePlan(build, changes);
const digestOf = (id: string) => digestIn(build, id);

/** Pushes another image under a key and the build's tag. */
async function repush(name: string, key: Key, layers: readonly FileTree[]): Promise<Digest> {
  const digest = await build.pushImage(`${build.remote}/${name}:key-${key}`, ...layers);
  await build.registry.copy(
    `${build.remote}/${name}@${digest}`,
    `${build.remote}/${name}:${build.plan.tag}`,
  );
  return digest;
}

/** Publishes the bundle with another CSV, and an index of it, as a wrong bundle step would. */
async function replaceCsv(edit: (text: string) => string): Promise<void> {
  const reference = `${build.remote}/operator-bundle:${build.plan.tag}`;
  const files = new Map(await readImageFiles(build.registry, reference));
  const path = 'manifests/small.clusterserviceversion.yaml';
  files.set(path, textFile(edit(files.get(path)?.content.toString() ?? '')));
  const digest = await build.pushImage(reference, files);
  const image = `${build.remote}/operator-bundle@${digest}`;
  build.outputs['bundle'] = { ...(build.outputs['bundle'] as object), digest, image } as StepOutput;
  const step = build.plan.steps.find(({ kind }) => kind === 'index');
  if (step?.kind === 'index') build.outputs['index'] = await runIndex(step, build.context());
}

async function rewriteSource(
  files: FileTree | undefined,
  changes: Readonly<Record<string, string>>,
): Promise<void> {
  const source = build.plan.sources[pipeline];
  const reference = `${build.remote}/tributary:key-${source?.key}`;
  const { workdir } = build.context();
  const before = await readArtifact(build.registry, reference);
  if (before === undefined) throw new Error('no source');
  const metadata = { ...(before.metadata as object), ...changes };
  await writeArtifact(build.registry, workdir, reference, {
    kind: 'source',
    metadata,
    files: files ?? before.files,
  });
}
