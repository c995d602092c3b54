import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Configuration } from '../../src/config/config.ts';
import { assemblePlan } from '../../src/plan/assemble-plan.ts';
import {
  type FileTree,
  gitTreeSha,
  placedIn,
  subtree,
  withFiles,
} from '../../src/plan/file-tree.ts';
import { sourceKey } from '../../src/plan/keys.ts';
import type { Lock, PinnedSource, Strategy } from '../../src/plan/lock.ts';
import type { CommitSha, ComponentName, Digest, Key, TreeSha } from '../../src/plan/names.ts';
import { operatorPayloadKey } from '../../src/plan/operator-payload-key.ts';
import type { Plan, Source, StepOutput } from '../../src/plan/plan.ts';
import { lockDigest, tagFor } from '../../src/plan/tag.ts';
import { productDigest } from '../../src/product/load-product.ts';
import type { Product } from '../../src/product/product.ts';
import { writeArtifact } from '../../src/steps/artifact.ts';
import { writeDataImage } from '../../src/steps/data-image.ts';
import { gzipLayer } from '../../src/steps/oci-layout.ts';
import { readPayloadFacts } from '../../src/steps/payload-facts.ts';
import { readProductFiles } from '../../src/steps/product-files.ts';
import { type ComponentFiles, readFacts } from '../../src/steps/read-facts.ts';
import type { Make, Registry, StepContext } from '../../src/steps/step.ts';
import { MemoryRegistry } from './memory-registry.ts';
import {
  operator,
  pipeline,
  smallProduct,
  smallProductFiles,
  smallUpstreamSources,
  tree,
} from './small-product.ts';

export { operator, pipeline, tree } from './small-product.ts';

/** A product of two components and two images, built up to (not including) its bundle. */
export interface SmallBuild extends AsyncDisposable {
  readonly registry: Registry;
  readonly remote: string;
  plan: Plan;
  outputs: Record<string, StepOutput>;
  make: Make;
  readonly logged: string[];
  context(): StepContext;
  /** Pushes an image of one layer with these files, and returns its digest. */
  pushImage(reference: string, ...layers: readonly FileTree[]): Promise<Digest>;
}

/** What a test may want otherwise. */
export interface SmallBuildOptions {
  readonly registry?: Registry;
  readonly remote?: string;
  readonly strategy?: Strategy;
  /** `allow-unconfined` of the configuration. */
  readonly unconfined?: boolean;
  readonly product?: Partial<Product>;
  /** Files of the productization repository over the usual ones. */
  readonly productFiles?: FileTree;
  /** kodata as it is put into the operator image, where a test wants it to differ from the payloads. */
  readonly kodata?: (files: FileTree) => FileTree;
  readonly operatorFiles?: FileTree;
  /** The pull request's head holds its base already. */
  readonly headHoldsBase?: boolean;
  /** FROM text → reference by digest. */
  readonly bases?: Plan['bases'];
  /** What is said to have made the plan. */
  readonly madeBy?: string;
  /** Sources of components that the product has besides, of which nothing is built. */
  readonly otherSources?: Readonly<Record<ComponentName, Source>>;
}

/** Makes the artifacts and images of a {@link SmallBuild} in a registry (in memory unless told). */
export async function smallBuild(options: SmallBuildOptions = {}): Promise<SmallBuild> {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-small-'));
  const registry = options.registry ?? new MemoryRegistry();
  const remote = options.remote ?? 'registry.example.com/team';
  const artifacts = `${remote}/tributary`;
  const product = { ...smallProduct, ...options.product };
  const pushImage = async (reference: string, ...layers: readonly FileTree[]) => {
    const layout = join(await mkdtemp(join(folder, 'image-')), 'layout');
    const packed = await Promise.all(layers.map(gzipLayer));
    await writeDataImage(layout, 'linux/amd64', {}, packed);
    return registry.pushLayout(layout, reference);
  };
  const artifact = (key: Key, kind: string, metadata: unknown, files: FileTree) =>
    writeArtifact(registry, folder, `${artifacts}:key-${key}`, { kind, metadata, files });
  const sourceOf = async (
    from: PinnedSource,
    requested: boolean,
    files: FileTree,
    parents: readonly string[],
  ) => {
    const tree = gitTreeSha(files);
    const commitObject = `tree ${tree}\n${parents.map((sha) => `parent ${sha}\n`).join('')}author A <a@example.com> 0 +0000\ncommitter A <a@example.com> 0 +0000\n\nChange\n`;
    const commit = from.kind === 'merge' ? gitCommitSha(commitObject) : from.commit;
    const key = sourceKey({ commit, tree });
    const metadata = { commit, commitObject: Buffer.from(commitObject).toString('base64') };
    await artifact(key, 'source', metadata, files);
    return {
      from,
      requested,
      commit,
      commitTree: tree,
      tree,
      key,
      version: '0.68.0',
      patchesLeft: [],
    } satisfies Source;
  };

  const pipelineFiles = tree({
    'go.mod': 'module github.com/tektoncd/pipeline\n',
    'main.go': 'package main\n',
  });
  const operatorFiles =
    options.operatorFiles ?? tree({ 'go.mod': 'module github.com/tektoncd/operator\n' });
  const productFiles = new Map([...smallProductFiles, ...(options.productFiles ?? [])]);
  const head =
    options.headHoldsBase === true
      ? gitCommitSha(rootCommit(gitTreeSha(pipelineFiles)))
      : commitFor('pull request');
  const merge: PinnedSource = {
    kind: 'merge',
    url: 'https://github.com/tektoncd/pipeline',
    ref: 'refs/pull/4638/head',
    commit: head,
    baseUrl: 'https://github.com/tektoncd/pipeline',
    base: { branch: 'main', commit: commitFor('main'), found: 'only-candidate' },
  };
  const pinned = (repository: string, files: FileTree): PinnedSource => ({
    kind: 'base',
    url: `https://github.com/${repository}`,
    branch: 'main',
    commit: gitCommitSha(rootCommit(gitTreeSha(files))),
  });
  const operatorBase = pinned(operator, operatorFiles);
  const productBase = pinned('openshift-pipelines/productization', productFiles);
  const sources: Record<ComponentName, Source> = {
    [pipeline]: await sourceOf(
      merge,
      true,
      pipelineFiles,
      options.headHoldsBase === true ? [] : [merge.base.commit, head],
    ),
    [operator]: await sourceOf(operatorBase, false, operatorFiles, []),
    ...options.otherSources,
  };
  const productSource = await sourceOf(productBase, false, productFiles, []);
  const lock: Lock = {
    version: 1,
    name: 'test-my-thing',
    release: 'nightly',
    product: { name: product.product, file: productDigest(product), source: productBase },
    components: Object.fromEntries(
      Object.entries(sources).map(([component, { from }]) => [component, from]),
    ) as Lock['components'],
    patches: {},
    remote: { name: 'demo', push: remote, pull: remote },
    platforms: ['linux/amd64'],
    strategy: options.strategy ?? 'images',
  };

  const digest = lockDigest(lock);
  const tag = tagFor(lock.name, digest);
  const filesOf = (files: FileTree): ComponentFiles => ({
    patchesLeft: [],
    payloadFacts: (rule) =>
      readPayloadFacts(rule, async (paths = ['.']) =>
        withFiles(new Map(), ...paths.map((path) => placedIn(path, subtree(files, path)))),
      ),
  });
  const facts = await readFacts(product, readProductFiles(productFiles, product, 'the product'), {
    [pipeline]: filesOf(pipelineFiles),
    [operator]: filesOf(operatorFiles),
  });
  const plan = assemblePlan({
    ...{ tag, lockDigest: digest, lock, product, sources, productSource, patches: [] },
    bases: options.bases ?? {},
    ...{ upstreamSources: smallUpstreamSources, tools: builder.tools },
    ...{ madeBy: options.madeBy ?? 'this version', ...facts },
  });
  const keyOf = (id: string): Key => {
    const key = plan.steps.find((step) => step.id === id)?.key;
    if (!key) throw new Error(`${id} has no key`);
    return key;
  };

  const payloads: Record<ComponentName, Digest> = {
    [operator]: await artifact(
      keyOf(`payload/${operator}`),
      'payload',
      { component: operator, replaces: null, version: null, keep: [] },
      tree({
        'tekton-pipeline/0.1.0/00-old.yaml': 'old',
        'tekton-pipeline/00-prereconcile/scc.yaml': 'scc',
        'addons/a.yaml': 'addon',
      }),
    ),
    [pipeline]: await artifact(
      keyOf(`payload/${pipeline}`),
      'payload',
      {
        component: pipeline,
        replaces: 'tekton-pipeline',
        version: '0.68.0-tabcdef',
        keep: ['tekton-pipeline/00-prereconcile/**'],
      },
      tree({ 'tekton-pipeline/0.68.0-tabcdef/00-pipelines.yaml': 'kind: Deployment\n' }),
    ),
  };
  const kodata = tree({
    'addons/a.yaml': 'addon',
    'tekton-pipeline/00-prereconcile/scc.yaml': 'scc',
    'tekton-pipeline/0.68.0-tabcdef/00-pipelines.yaml': 'kind: Deployment\n',
  });
  /** Images by key and under the tag; a Makefile makes others. */
  const makeImages = async (): Promise<Record<string, StepOutput>> => {
    const program = tree({
      'ko-app/controller': 'program',
      'kodata/HEAD': `${sources[pipeline]?.commit}\n`,
    });
    const controllerKey = keyOf('image/controller');
    const operatorKey = keyOf('image/operator');
    const operatorBaseFiles = tree({ 'ko-app/operator': 'program', 'kodata/old.yaml': 'old' });
    const put = options.kodata?.(kodata) ?? kodata;
    const withoutPayload = await pushImage(
      `${remote}/operator:key-${operatorKey}`,
      operatorBaseFiles,
    );
    const payloadKey = operatorPayloadKey({
      image: withoutPayload,
      payloads,
      kodata: '/kodata',
    });
    const digests = {
      controller: await pushImage(`${remote}/controller:key-${controllerKey}`, program),
      operatorBase: withoutPayload,
      operator: await pushImage(
        `${remote}/operator:key-${payloadKey}`,
        operatorBaseFiles,
        new Map([
          ...tree({ 'kodata/.wh..wh..opq': '' }),
          ...[...put].map(([path, file]) => [`kodata/${path}`, file] as const),
        ]),
      ),
    };
    await registry.copy(
      `${remote}/controller@${digests.controller}`,
      `${remote}/controller:${tag}`,
    );
    await registry.copy(`${remote}/operator@${digests.operator}`, `${remote}/operator:${tag}`);
    return {
      'image/controller': made('image', 'controller', controllerKey, digests.controller),
      'image/operator': made('image', 'operator', operatorKey, digests.operatorBase),
      'operator-payload/operator': made(
        'operator-payload',
        'operator',
        payloadKey,
        digests.operator,
      ),
    };
  };
  const made = (
    kind: 'image' | 'operator-payload',
    name: string,
    key: Key,
    of: Digest,
  ): StepOutput => ({
    ...{ kind, key, reused: false, digest: of, image: `${remote}/${name}@${of}` },
  });
  const logged: string[] = [];
  const build: SmallBuild = {
    ...{ registry, remote, plan, logged, pushImage },
    make: { run: () => Promise.reject(new Error('no Makefile here')) },
    outputs: {
      ...Object.fromEntries(
        Object.entries<Digest>(payloads).map(([component, digest]) => {
          const id = `payload/${component}`;
          return [id, { kind: 'payload', key: keyOf(id), reused: false, digest }] as const;
        }),
      ),
      ...(lock.strategy === 'images' ? await makeImages() : {}),
    },
    context: () => ({
      ...{ plan: build.plan, outputs: build.outputs, registry, workdir: folder, rebuild: false },
      configuration: Configuration.parse({
        remotes: { demo: { push: remote, default: true } },
        'allow-unconfined': options.unconfined ?? false,
      }),
      builder,
      makeAlone: (_reference, _waiting, work) => work(),
      remember: (_question, findOut) => findOut(),
      make: build.make,
      confined: { run: () => Promise.reject(new Error('no programs here')) },
      signal: new AbortController().signal,
      log: (text) => logged.push(text),
      progress: () => {},
    }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
  return build;
}

function rootCommit(of: TreeSha): string {
  return `tree ${of}\nauthor A <a@example.com> 0 +0000\ncommitter A <a@example.com> 0 +0000\n\nChange\n`;
}

function gitCommitSha(text: string): CommitSha {
  const hash = createHash('sha1').update(`commit ${Buffer.byteLength(text)}\0${text}`);
  return hash.digest('hex') as CommitSha;
}

function commitFor(text: string): CommitSha {
  return createHash('sha1').update(text).digest('hex') as CommitSha;
}

const builder = { build: () => Promise.reject(new Error('no builder here')), tools: 'none' };
