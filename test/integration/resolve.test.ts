import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type GitServer, startGitServer } from '../../examples/git-server.ts';
import { openGit } from '../../src/adapters/git/git.ts';
import { demand } from '../../src/builds/failure.ts';
import { failed, ok } from '../../src/builds/result.ts';
import { Configuration } from '../../src/config/config.ts';
import type { PinnedSource } from '../../src/plan/lock.ts';
import { parseProduct } from '../../src/product/load-product.ts';
import { locateIn } from '../../src/product/place.ts';
import { checkRequest } from '../../src/request/check-request.ts';
import { parseRequest } from '../../src/request/parse-request.ts';
import { ProductVerdicts } from '../../src/resolve/product-verdicts.ts';
import { type ResolveContext, resolveRequest } from '../../src/resolve/resolve-request.ts';
import { shared } from '../../src/resolve/shared-servers.ts';
import {
  createRepository,
  type TestRepository,
  temporaryFolder,
} from '../support/git-repository.ts';

/** A small world behind a real git server: a component with two branches, pull requests, a fork, a stranger, a product. */
interface World {
  readonly commits: Readonly<Record<string, string>>;
  readonly state: string;
  readonly server: GitServer;
  readonly product: TestRepository;
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let world: World;

beforeAll(async () => {
  folder = await temporaryFolder();
  world = await makeWorld(folder.path);
}, 60_000);
afterAll(async () => {
  await world.server.close();
  await folder[Symbol.asyncDispose]();
});

const productFile = `
product: demo
layout: distgit
repository: https://github.com/openshift-pipelines/productization
releases:
  nightly: {branch: main, version: 1.7.0, channels: [latest], default: true}
  "1.6": {branch: pipelines-1.6, version: 1.6.0, channels: [old]}
components:
  tektoncd/pipeline:
    tracks: {nightly: main, "1.6": release-v1}
    patches: {dir: patches/pipeline, applied-by: tributary}
images:
  controller: {context: distgit/containers/controller, of: [tektoncd/pipeline]}
bundle: {image: bundle, package: demo, from: bundle}
index: {image: index, serve: data}
`;
const product = demand(parseProduct(productFile, 'product.yaml'));

/** A bundle that names no image, of a version. */
function bundleOf(version: string): Record<string, string> {
  const annotations = 'annotations: {operators.operatorframework.io.bundle.package.v1: demo}\n';
  const csv = `kind: ClusterServiceVersion\nmetadata: {name: demo.v${version}}\nspec: {version: ${version}}\n`;
  return { 'bundle/metadata/annotations.yaml': annotations, 'bundle/manifests/demo.yaml': csv };
}

async function makeWorld(root: string): Promise<World> {
  const repositories = join(root, 'repositories');
  const at = (name: string) => createRepository(join(root, 'work', name));
  const commits: Record<string, string> = {};
  const upstream = await at('pipeline');
  commits['pinned'] = await upstream.commit('start', { f: 'a\nb\nc\n' });
  await upstream.git('tag', '-a', '-m', 'v1', 'v1.0.0');
  await upstream.branch('release-v1', 'main');
  commits['release'] = await upstream.commit('release', { r: '1\n' });
  await upstream.checkout('main');
  commits['main'] = await upstream.commit('main goes on', { m: '1\n' });
  const change = async (name: string, from: string, files: Record<string, string>) => {
    await upstream.git('checkout', '--quiet', '--detach', from);
    const commit = await upstream.commit(name, files);
    commits[name] = commit;
    return commit;
  };
  await upstream.ref('refs/pull/4638/head', await change('on-main', 'main', { p: '1\n' }));
  await upstream.ref('refs/pull/4638/merge', await change('test-merge', 'main', { p: '2\n' }));
  await upstream.ref('refs/pull/7/head', await change('on-release', 'release-v1', { q: '1\n' }));
  await upstream.ref('refs/pull/8/head', await change('on-start', commits['pinned'], { s: '1\n' }));
  await upstream.ref('refs/merge-requests/9/head', commits['on-main'] ?? '');
  await upstream.ref('refs/heads/4636-with/slashes', await change('slashes', 'main', { t: '1\n' }));
  await upstream.ref('refs/heads/both', commits['on-main'] ?? '');
  await upstream.ref('refs/tags/both', commits['on-release'] ?? '');
  await upstream.ref('refs/heads/1234', commits['on-main'] ?? '');
  commits['unadvertised'] = await change('unadvertised', 'main', { u: '1\n' });
  await upstream.checkout('main');
  await upstream.branch('merged-topic', 'main');
  commits['topic'] = await upstream.commit('topic', { topic: '1\n' });
  await upstream.ref('refs/pull/10/head', commits['topic']);
  await upstream.checkout('main');
  await upstream.commit('between', { between: '1\n' });
  await upstream.git('merge', '--quiet', '--no-ff', '-m', 'Merge 10', 'merged-topic');
  commits['main'] = await upstream.git('rev-parse', 'HEAD');
  await upstream.git('branch', '--quiet', '-D', 'merged-topic');

  await upstream.git('clone', '--quiet', '--no-local', '.', join(root, 'work', 'fork'));
  const fork = await at('fork');
  await fork.git('fetch', '--quiet', 'origin', '+refs/heads/*:refs/heads/*').catch(() => {});
  commits['shiny'] = await fork.commit('shiny', { shiny: '1\n' });
  await fork.branch('shiny', 'HEAD');
  const stranger = await at('stranger');
  await stranger.commit('other', { other: '1\n' });

  const downstream = await at('productization');
  const sources = `git:\n  - url: https://github.com/tektoncd/pipeline.git\n    branch: main\n    commit: '${commits['pinned']}'\n`;
  commits['product'] = await downstream.commit('product', {
    'upstream_sources.yaml': sources,
    'patches/pipeline/0001-x.patch': '--- a/x\n+++ b/x\n',
    'distgit/containers/controller/Dockerfile': 'FROM scratch\n',
    ...bundleOf('1.7.0'),
  });
  await downstream.branch('pipelines-1.6', 'main');
  await downstream.commit('release 1.6', bundleOf('1.6.0'));
  await downstream.checkout('main');
  await downstream.branch('change', 'main');
  const moved = sources.replace(commits['pinned'], commits['main']);
  commits['product-change'] = await downstream.commit('move', { 'upstream_sources.yaml': moved });
  await downstream.ref('refs/pull/3/head', 'HEAD');
  const strange = moved.replace(
    'https://github.com/tektoncd/',
    'https://evil.example.com/tektoncd/',
  );
  await downstream.commit('strange', { 'upstream_sources.yaml': strange });
  await downstream.ref('refs/pull/4/head', 'HEAD');
  await downstream.checkout('main');

  const publish = async (from: TestRepository, name: string) => {
    await from.git('clone', '--quiet', '--mirror', '.', join(repositories, `${name}.git`));
    const set = ['config', '--file', join(repositories, `${name}.git`, 'config')];
    for (const key of ['allowFilter', 'allowAnySHA1InWant'])
      await from.git(...set, `uploadpack.${key}`, 'true');
  };
  await publish(upstream, 'tektoncd/pipeline');
  await publish(fork, 'vdemeester/tektoncd-pipeline');
  await publish(stranger, 'someone/else');
  await publish(downstream, 'openshift-pipelines/productization');
  return {
    commits,
    state: join(root, 'state'),
    server: await startGitServer(repositories),
    product: downstream,
  };
}

const checks = {
  ...{ locate: locateIn(undefined), verdicts: new ProductVerdicts() },
  vouched: async () => ok(undefined),
};

async function resolve(body: object, more: Partial<ResolveContext> = {}) {
  const configuration = Configuration.parse({
    urls: { 'https://github.com/': world.server.url },
    remotes: { demo: { push: '127.0.0.1:5000/demo', default: true } },
  });
  const git = await openGit({ ...configuration, state: world.state }, {});
  const request = demand(parseRequest({ name: 'x', ...body }));
  const checked = demand(checkRequest(request, product, configuration));
  return resolveRequest(checked, product, {
    ...git,
    servers: shared(git.servers, Date.now),
    ...{ configuration, platform: 'linux/amd64', ...checks, ...more },
  });
}

async function resolveOne(ref: unknown, more: object = {}) {
  const outcome = await resolve({ components: { 'tektoncd/pipeline': ref }, ...more });
  if (!outcome.ok) throw new Error(outcome.failures.map(({ detail }) => detail).join('\n'));
  const { lock, read } = outcome.value;
  const source = Object.values(lock.components)[0] as PinnedSource;
  return { source, reading: read['tektoncd/pipeline'], outcome: outcome.value };
}

const url = 'https://github.com/tektoncd/pipeline';
test.for([
  // Pull requests: merged where their base is what the release tracks.
  ['tektoncd/pipeline#4638', 'merge', 'refs/pull/4638/head', 'on-main'],
  ['tektoncd/pipeline#pull/4638', 'merge', 'refs/pull/4638/head', 'on-main'],
  ['https://github.com/tektoncd/pipeline/pull/4638', 'merge', 'refs/pull/4638/head', 'on-main'],
  [
    'https://github.com/tektoncd/pipeline/pull/4638/files',
    'merge',
    'refs/pull/4638/head',
    'on-main',
  ],
  ['git@github.com:tektoncd/pipeline.git#4638', 'merge', 'refs/pull/4638/head', 'on-main'],
  ['tektoncd/pipeline#pull/4638/head', 'head', 'refs/pull/4638/head', 'on-main'],
  ['tektoncd/pipeline#pull/4638/merge', 'head', 'refs/pull/4638/merge', 'test-merge'],
  ['tektoncd/pipeline#refs/merge-requests/9/head', 'head', 'refs/merge-requests/9/head', 'on-main'],
  ['tektoncd/pipeline#7', 'pick', 'refs/pull/7/head', 'on-release'],
  // Branches and tags, as they are.
  ['tektoncd/pipeline', 'head', 'refs/heads/main', 'main'],
  ['tektoncd/pipeline#main', 'head', 'refs/heads/main', 'main'],
  ['tektoncd/pipeline@main', 'head', 'refs/heads/main', 'main'],
  ['tektoncd/pipeline#refs/heads/1234', 'head', 'refs/heads/1234', 'on-main'],
  ['tektoncd/pipeline#4636-with/slashes', 'head', 'refs/heads/4636-with/slashes', 'slashes'],
  [
    'https://github.com/tektoncd/pipeline/tree/4636-with/slashes',
    'head',
    'refs/heads/4636-with/slashes',
    'slashes',
  ],
  [
    'https://github.com/tektoncd/pipeline.git#release-v1',
    'head',
    'refs/heads/release-v1',
    'release',
  ],
  ['tektoncd/pipeline#v1.0.0', 'head', 'refs/tags/v1.0.0', 'pinned'],
  ['tektoncd/pipeline@v1.0.0', 'head', 'refs/tags/v1.0.0', 'pinned'],
  ['tektoncd/pipeline#refs/tags/both', 'head', 'refs/tags/both', 'on-release'],
] as const)('%s is %s of %s', async ([ref, kind, name, commit]) => {
  const { source, reading } = await resolveOne(ref);
  expect(source).toMatchObject({ kind, url, ref: name, commit: world.commits[commit] });
  expect(reading).toMatchObject({ ref, as: kind, commit: world.commits[commit], url });
  expect(reading?.why).toMatch(/^[A-Z].*\.$/);
});

test('a branch of a fork is built as it is', async () => {
  const { source } = await resolveOne('vdemeester/tektoncd-pipeline#shiny');
  const fork = 'https://github.com/vdemeester/tektoncd-pipeline';
  expect(source).toEqual({
    kind: 'head',
    url: fork,
    ref: 'refs/heads/shiny',
    commit: world.commits['shiny'],
  });
});

test('a commit is found whether or not a branch ends there; all its spellings are one', async () => {
  for (const name of ['unadvertised', 'on-main']) {
    const sha = world.commits[name];
    const spellings = [
      `tektoncd/pipeline@${sha}`,
      `tektoncd/pipeline#${sha}`,
      `${url}/commit/${sha}`,
      `${url}/pull/4638/commits/${sha}`,
    ];
    for (const ref of spellings) {
      expect((await resolveOne(ref)).source).toEqual({ kind: 'head', url, ref: sha, commit: sha });
    }
  }
  const sha = world.commits['slashes'] ?? '';
  expect((await resolveOne(`${url}/commit/${sha.slice(0, 10)}`)).source).toMatchObject({
    commit: sha,
    ref: sha,
  });
});

test('all spellings of one pull request give one lock', async () => {
  const one = (await resolveOne('tektoncd/pipeline#4638')).outcome;
  const other = (await resolveOne('https://github.com/TektonCD/pipeline/pull/4638/files')).outcome;
  expect(other.lockDigest).toBe(one.lockDigest);
  expect(other.lock).toEqual(one.lock);
});

test('of a branch and a tag of one name the branch counts, and that is said', async () => {
  const { source, reading } = await resolveOne('tektoncd/pipeline#both');
  expect(source).toMatchObject({ ref: 'refs/heads/both' });
  expect(reading?.why).toContain(
    'There is also a tag of this name (tektoncd/pipeline#refs/tags/both)',
  );
});

test('a pull request is picked where its base is not what the release tracks', async () => {
  const { source, reading } = await resolveOne('tektoncd/pipeline#4638', { release: '1.6' });
  expect(source).toMatchObject({
    kind: 'pick',
    baseUrl: url,
    base: { branch: 'main', found: 'nearest' },
    onto: world.commits['pinned'],
  });
  expect(reading?.why).toContain(
    'is meant for main (no other branch holds more of its history), but 1.6 tracks release-v1',
  );
  const [onRelease, tie] = [
    await resolveOne('tektoncd/pipeline#7', { release: '1.6' }),
    await resolveOne('tektoncd/pipeline#8'),
  ];
  expect(onRelease.source).toMatchObject({
    kind: 'merge',
    base: { branch: 'release-v1', commit: world.commits['release'] },
  });
  expect(tie.source).toMatchObject({
    kind: 'merge',
    base: { branch: 'main', found: 'tie-default-branch' },
  });
});

test('the request has the last word on base and way', async () => {
  const asked = await resolveOne({
    ref: 'tektoncd/pipeline#4638',
    as: 'merge',
    base: 'release-v1',
  });
  expect(asked.source).toMatchObject({
    kind: 'merge',
    base: { branch: 'release-v1', found: 'request' },
  });
  const pick = await resolveOne({ ref: 'tektoncd/pipeline#4638', as: 'pick' });
  expect(pick.source).toMatchObject({ kind: 'pick', base: { branch: 'main' } });
  const head = await resolveOne({ ref: 'tektoncd/pipeline#4638', as: 'head' });
  expect(head.source).toMatchObject({ kind: 'head', ref: 'refs/pull/4638/head' });
  const branch = await resolveOne({ ref: 'vdemeester/tektoncd-pipeline#shiny', as: 'merge' });
  expect(branch.source).toMatchObject({
    kind: 'merge',
    commit: world.commits['shiny'],
    baseUrl: url,
  });
});

test('a pull request that was merged is known to be in its base; its commits can still be picked', async () => {
  const merged = await resolveOne({ ref: 'tektoncd/pipeline#10', base: 'main' });
  expect(merged.source).toMatchObject({ kind: 'merge' });
  expect(merged.reading?.why).toContain('Main holds the pull request already');
  const picked = await resolveOne({ ref: 'tektoncd/pipeline#10', as: 'pick', base: 'main' });
  if (picked.source.kind !== 'pick') throw new Error(picked.source.kind);
  expect(picked.source.mergeBase).not.toBe(world.commits['topic']);
});

test('a picked commit is that commit alone', async () => {
  const { source } = await resolveOne({
    ref: `tektoncd/pipeline@${world.commits['on-release']}`,
    as: 'pick',
  });
  expect(source).toMatchObject({ kind: 'pick', mergeBase: world.commits['release'] });
});

test.for([
  [
    'tektoncd/pipeline#99999',
    'ref-not-found',
    'tektoncd/pipeline#99999: no such pull request.',
    'Check the number, or name a branch: tektoncd/pipeline#main.',
  ],
  [
    'tektoncd/pipeline#1234',
    'ref-not-found',
    'no such pull request',
    'tektoncd/pipeline#refs/heads/1234',
  ],
  [
    'tektoncd/pipeline#release-v2',
    'ref-not-found',
    'no such branch or tag',
    'Did you mean release-v1',
  ],
  ['tektoncd/pipeline#pull/7/merge', 'ref-not-found', 'no test merge', 'tektoncd/pipeline#7'],
  [
    'tektoncd/nothing#main',
    'ref-not-found',
    'https://github.com/tektoncd/nothing: no such repository',
    'git.credentials',
  ],
  [`tektoncd/pipeline@${'12'.repeat(20)}`, 'ref-not-found', 'no such commit', '40 digits'],
  [
    'https://github.com/tektoncd/pipeline/commit/0000000',
    'ref-not-found',
    'no branch, tag or pull request',
    'all 40 digits',
  ],
  [
    'someone/else#main',
    'unrelated-repository',
    'shares no history with tektoncd/pipeline',
    'under the right component',
  ],
  [
    'https://git.example.com/tektoncd/pipeline.git#main',
    'host-not-allowed',
    'git.example.com is not accepted',
    'github.com, gitlab.com',
  ],
] as const)('%s is refused: %s', async ([ref, reason, detail, hint]) => {
  const outcome = await resolve({ components: { 'tektoncd/pipeline': ref } });
  expect(outcome).toMatchObject({
    ok: false,
    failures: [
      {
        reason,
        pointer: '/components/tektoncd~1pipeline',
        detail: expect.stringContaining(detail),
        hint: expect.stringContaining(hint),
      },
    ],
  });
});

test('all problems are told at once', async () => {
  const outcome = await resolve({
    components: { 'tektoncd/pipeline': 'tektoncd/pipeline#99999' },
    patches: { 'tektoncd/pipeline': { skip: ['0001-y.patch'] } },
  });
  expect(outcome).toMatchObject({
    failures: [
      { reason: 'ref-not-found' },
      { reason: 'unknown-patch', hint: 'Did you mean 0001-x.patch?' },
    ],
  });
});

test('a change of the productization repository counts with what it pins', async () => {
  const outcome = await resolve({ product: 'openshift-pipelines/productization#3' });
  if (!outcome.ok) throw new Error(outcome.failures[0].detail);
  const { lock, read } = outcome.value;
  expect(lock.product.source).toMatchObject({
    kind: 'merge',
    commit: world.commits['product-change'],
  });
  expect(Object.values(lock.components)[0]).toMatchObject({
    kind: 'base',
    commit: world.commits['main'],
  });
  expect(read['product']).toMatchObject({ as: 'merge' });
  // What a stranger pins is fetched from accepted hosts only.
  const strange = await resolve({ product: 'openshift-pipelines/productization#4' });
  expect(strange).toMatchObject({
    ok: false,
    failures: [{ reason: 'host-not-allowed', pointer: '/product' }],
  });
});

test('what nobody vouches for is not looked at', async () => {
  const asked: object[] = [];
  const refusal = { reason: 'not-approved', detail: 'Nobody has.', hint: 'Approve it.' } as const;
  const vouched: ResolveContext['vouched'] = async (read) => {
    asked.push(read);
    return failed(refusal);
  };
  const product = 'openshift-pipelines/productization#4';
  expect(await resolve({ product }, { vouched })).toMatchObject({
    ok: false,
    failures: [{ reason: 'not-approved', pointer: '/product' }],
  });
  expect(asked).toMatchObject([{ product: { ref: product } }]);
});

test('a git server that is away is no fault of the ref', async () => {
  const configuration = Configuration.parse({
    urls: { 'https://github.com/': 'http://127.0.0.1:9/' },
    remotes: { demo: { push: 'r/demo', default: true } },
  });
  const git = await openGit({ ...configuration, state: world.state }, {});
  const checked = demand(
    checkRequest(
      demand(
        parseRequest({ name: 'x', components: { 'tektoncd/pipeline': 'tektoncd/pipeline#1' } }),
      ),
      product,
      configuration,
    ),
  );
  const outcome = await resolveRequest(checked, product, {
    ...git,
    ...{ configuration, platform: 'linux/amd64', ...checks },
  });
  expect(outcome).toMatchObject({
    ok: false,
    failures: [{ reason: 'git-unavailable', hint: expect.stringContaining('Try again') }],
  });
});
