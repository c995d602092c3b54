import { createHash } from 'node:crypto';
import type { NewBuild, RefReading } from '../../src/builds/build.ts';
import { demand } from '../../src/builds/failure.ts';
import { assemblePlan, type PlanFacts } from '../../src/plan/assemble-plan.ts';
import { sourceKey } from '../../src/plan/keys.ts';
import type { Lock, PinnedSource } from '../../src/plan/lock.ts';
import type { CommitSha, ComponentName, Digest, ImageName, TreeSha } from '../../src/plan/names.ts';
import type { Plan, Source, StepOutput } from '../../src/plan/plan.ts';
import { lockDigest, pipelinerunName, tagFor } from '../../src/plan/tag.ts';
import { parseProduct, productDigest } from '../../src/product/load-product.ts';

/** A build of a product that is larger than any real one, with a pull request for each of its components. */
export interface LargeBuild {
  readonly asked: NewBuild;
  readonly plan: Plan;
  /** What `steps` of the plan make. */
  outputOf(id: string): StepOutput;
}

const host = 'registry.of.our.company.example.com/openshift-pipelines/builds-of-pull-requests';

/** Makes one of that many images and components; names are as long as those of real ones, and digests as random. */
export function largeBuild(images: number, components: number): LargeBuild {
  const names = Array.from(
    { length: components },
    (_, index) => `openshift-pipelines/component-number-${index}` as ComponentName,
  );
  const owner = (index: number) => names[index % components] as ComponentName;
  const imageName = (index: number) =>
    `openshift-pipelines-component-image-number-${index}-rhel9` as ImageName;
  const all = Array.from({ length: images }, (_, index) => index);
  const product = demand(
    parseProduct(
      JSON.stringify({
        product: 'large',
        layout: 'distgit',
        repository: 'https://github.com/openshift-pipelines/productization',
        releases: {
          nightly: { branch: 'main', version: '1.7.0', channels: ['latest'], default: true },
        },
        components: Object.fromEntries(
          names.map((name, index) => [
            name,
            {
              payload: {
                render: 'ko',
                inputs: [{ path: 'config' }],
                into: `part-${index}/{version}/00.yaml`,
              },
            },
          ]),
        ),
        images: Object.fromEntries(
          all.map((index) => [
            imageName(index),
            index === 0
              ? { context: 'distgit/operator', of: [owner(0)], kodata: '/kodata' }
              : {
                  context: `distgit/containers/number-${index}`,
                  of: [owner(index)],
                  go: `github.com/${owner(index)}/cmd/program-${index}`,
                },
          ]),
        ),
        bundle: { image: 'operator-bundle', package: 'large', from: 'bundle' },
        index: { image: 'operator-index', serve: 'data' },
      }),
      'product.yaml',
    ),
  );
  const byName = <Value>(make: (name: ComponentName, index: number) => Value) =>
    Object.fromEntries(names.map((name, index) => [name, make(name, index)])) as Record<
      ComponentName,
      Value
    >;
  const lock: Lock = {
    version: 1,
    name: 'all-pull-requests-of-all-components-at-once-try',
    release: 'nightly',
    product: { name: 'large', file: productDigest(product), source: pinned('product') },
    components: byName(pullRequest),
    patches: {},
    remote: { name: 'team', push: host, pull: host },
    platforms: ['linux/amd64'],
    strategy: 'images',
  };
  const digest = lockDigest(lock);
  const tag = tagFor(lock.name, digest);
  const dockerfile = 'FROM base/go:1 AS build\nRUN go build\nFROM base/runtime:1\n';
  const facts: PlanFacts = {
    ...{ tag, lockDigest: digest, lock, product, patches: [], tools: 'buildah 1', madeBy: 'tests' },
    sources: byName((name) => source(name, lock.components[name] as PinnedSource, true)),
    productSource: source('product', lock.product.source, false),
    urls: byName((name) => `https://github.com/${name}`),
    bases: {
      'base/go:1': `${host}/base/go@${digestOf('go')}`,
      'base/runtime:1': `${host}/base/runtime@${digestOf('runtime')}`,
    },
    upstreamSources: names.map((name) => `- {git: ${name}, commit: ${shaOf(name)}}\n`).join(''),
    images: Object.fromEntries(
      all.map((index) => [
        imageName(index),
        { dockerfile, context: treeOf(`context ${index}`), patches: {} },
      ]),
    ) as PlanFacts['images'],
    payloads: byName((name) => ({
      inputs: treeOf(`inputs ${name}`),
      references: new Set(
        all.flatMap((index) =>
          index > 0 && owner(index) === name ? [`github.com/${name}/cmd/program-${index}`] : [],
        ),
      ),
    })),
  };
  const plan = assemblePlan(facts);
  return {
    plan,
    asked: {
      ...{ tag, pipelinerun: pipelinerunName(tag), product, lock, lockDigest: digest },
      read: byName(reading),
      requester: 'system:serviceaccount:builds-of-pull-requests:somebody-with-a-long-name',
      ...{ notify: [], rebuild: false },
    },
    outputOf: (id) => outputOf(id, plan),
  };
}

function pullRequest(name: ComponentName): PinnedSource {
  const url = `https://github.com/${name}`;
  return {
    ...{ kind: 'pick', url, ref: 'refs/pull/12345/head', commit: shaOf(`head ${name}`) },
    baseUrl: url,
    base: { branch: 'release-v1.23.x', commit: shaOf(`base ${name}`), found: 'nearest' },
    ...{ mergeBase: shaOf(`merge base ${name}`), onto: shaOf(`pin ${name}`) },
  };
}

function pinned(name: string): PinnedSource {
  return { kind: 'base', url: `https://github.com/${name}`, branch: 'main', commit: shaOf(name) };
}

function reading(name: ComponentName): RefReading {
  return {
    ref: `https://github.com/${name}/pull/12345`,
    ...{ as: 'pick', commit: shaOf(`head ${name}`), url: `https://github.com/${name}` },
    base: { branch: 'release-v1.23.x', commit: shaOf(`base ${name}`), found: 'nearest' },
    why: 'Its base branch release-v1.23.x is not main, which the release tracks: its own commits go on top of what the product pins.',
  };
}

function source(name: string, from: PinnedSource, requested: boolean): Source {
  const commit = shaOf(`commit ${name}`);
  const tree = treeOf(name);
  const key = sourceKey({ commit, tree });
  const facts = { commit, commitTree: tree, tree, key, version: '0.69.0', patchesLeft: [] };
  return { from, requested, ...facts };
}

/** As `verify` and the builder tell it. */
function outputOf(id: string, plan: Plan): StepOutput {
  const step = plan.steps.find((one) => one.id === id);
  if (step === undefined) throw new Error(`no step ${id}`);
  const key = (step.key ?? digestOf(`key ${id}`).slice('sha256:'.length)) as NonNullable<
    typeof step.key
  >;
  const digest = digestOf(id);
  switch (step.kind) {
    case 'payload':
    case 'manifests':
      return { kind: step.kind, key, reused: false, digest };
    case 'verify':
      return { kind: 'verify', inclusion: inclusionOf(plan), unpullable: [] };
    case 'report':
      return { kind: 'report', digest };
    case 'makefile':
      throw new Error('no build of this is made so');
    default: {
      const image = `${host}/${id.slice(id.indexOf('/') + 1)}@${digest}`;
      return { kind: step.kind, key, reused: false, digest, image };
    }
  }
}

function inclusionOf(plan: Plan) {
  return plan.steps.flatMap((step) => {
    if (step.kind !== 'image') return [];
    const [component] = plan.product.images[step.image]?.of ?? [];
    const found = component && plan.sources[component];
    if (component === undefined || found === undefined) return [];
    return [
      {
        ...{ component, place: step.id, commit: found.commit, tree: found.tree, requested: true },
        outcome: 'included' as const,
        proof: `The CSV names ${digestOf(step.id)}, the image under the key that comes of the source tree that was read back.`,
      },
    ];
  });
}

function digestOf(text: string): Digest {
  return `sha256:${createHash('sha256').update(text).digest('hex')}` as Digest;
}

function shaOf(text: string): CommitSha {
  return createHash('sha1').update(text).digest('hex') as CommitSha;
}

function treeOf(text: string): TreeSha {
  return createHash('sha1').update(`tree ${text}`).digest('hex') as TreeSha;
}
