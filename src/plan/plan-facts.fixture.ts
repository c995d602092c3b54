import { demand } from '../builds/failure.ts';
import { parseProduct } from '../product/load-product.ts';
import type { PlanFacts } from './assemble-plan.ts';
import { sourceKey } from './keys.ts';
import type { Lock } from './lock.ts';
import type { CommitSha, ComponentName, Digest, ImageName, Tag, TreeSha } from './names.ts';
import type { Source } from './plan.ts';

const productFile = `
product: demo
layout: distgit
repository: https://github.com/openshift-pipelines/productization
releases:
  nightly: {branch: main, version: 1.7.0, channels: [latest], default: true}
components:
  tektoncd/pipeline:
    patches: {dir: patches/pipeline, applied-by: dockerfile}
    payload: {render: ko, inputs: [{path: config}], into: "tekton-pipeline/{version}/00.yaml"}
  tektoncd/triggers:
    payload: {render: command, run: [hack/release.sh], image: "base/runtime:1", into: "tekton-trigger/{version}/00.yaml"}
  tektoncd/operator:
    payload: {render: copy, inputs: [{path: kodata}]}
    bundle: {run: [hack/bundle.sh], image: "base/runtime:1"}
images:
  controller: {context: c/controller, of: [tektoncd/pipeline], go: github.com/tektoncd/pipeline/cmd/controller}
  webhook: {context: c/webhook, of: [tektoncd/pipeline], go: github.com/tektoncd/pipeline/cmd/webhook}
  sink: {context: c/sink, of: [tektoncd/triggers], go: github.com/tektoncd/triggers/cmd/sink}
  cli: {context: c/cli, of: [tektoncd/pipeline, tektoncd/triggers], args: {GOFLAGS: -mod=vendor}}
  operator: {context: c/operator, of: [tektoncd/operator], kodata: /kodata}
bundle: {image: demo-bundle, package: demo, from: bundle}
index: {image: demo-index, serve: data}
`;

const sha = (digit: string) => digit.repeat(40);
const digest = (digit: string) => `sha256:${digit.repeat(64)}` as Digest;

function source(digit: string, requested: boolean, patchesLeft: readonly string[] = []): Source {
  const commit = sha(digit) as CommitSha;
  const tree = sha(digit === 'f' ? 'e' : digit) as TreeSha;
  const url = 'https://github.com/tektoncd/x';
  const from = requested
    ? ({ kind: 'head', url, ref: 'refs/heads/shiny', commit } as const)
    : ({ kind: 'base', url, branch: 'main', commit } as const);
  const key = sourceKey({ commit, tree });
  return { from, requested, commit, commitTree: tree, tree, key, version: '0.69.0', patchesLeft };
}

/** Facts of a small product: three components, an image of two of them, every kind of step. */
export function planFacts(): PlanFacts {
  const product = demand(parseProduct(productFile, 'product.yaml'));
  const dockerfile = 'FROM base/go:1 AS build\nRUN go build\nFROM base/runtime:1\n';
  const withCommit = `${dockerfile}ARG CI_PIPELINE_UPSTREAM_COMMIT\n`;
  const image = (text: string, digit: string) => ({
    dockerfile: text,
    context: sha(digit) as TreeSha,
    patches: {},
  });
  const inputs = (digit: string, ...references: string[]) => ({
    inputs: sha(digit) as TreeSha,
    references: new Set(references),
  });
  return {
    tag: 'test-my-thing-72a32c' as Tag,
    lockDigest: digest('7'),
    lock: {
      version: 1,
      name: 'test-my-thing',
      release: 'nightly',
      remote: { name: 'demo', push: '127.0.0.1:5000/demo', pull: 'registry.cluster/demo' },
      platforms: ['linux/amd64'],
      strategy: 'images',
    } as unknown as Lock,
    product,
    sources: byName({
      'tektoncd/pipeline': source('a', true, ['0001-x.patch']),
      'tektoncd/triggers': source('b', false),
      'tektoncd/operator': source('c', true),
    }),
    productSource: source('d', false),
    urls: byName({
      'tektoncd/pipeline': 'https://github.com/tektoncd/pipeline',
      'tektoncd/triggers': 'https://github.com/tektoncd/triggers',
      'tektoncd/operator': 'https://github.com/tektoncd/operator',
    }),
    patches: [
      {
        component: 'tektoncd/pipeline' as ComponentName,
        patch: '0002-y.patch',
        outcome: 'contained',
        by: 'dockerfile',
      },
      {
        component: 'tektoncd/pipeline' as ComponentName,
        patch: '0001-x.patch',
        outcome: 'applied',
        by: 'dockerfile',
      },
    ],
    bases: {
      'base/go:1': `base/go@${digest('1')}`,
      'base/runtime:1': `base/runtime@${digest('2')}`,
    },
    upstreamSources: 'git: []\n',
    images: {
      controller: {
        ...image(withCommit, '1'),
        patches: { 'tektoncd/pipeline/0001-x.patch': '1'.repeat(64) },
      },
      webhook: image(dockerfile, '2'),
      sink: image(dockerfile, '3'),
      cli: image(dockerfile, '4'),
      operator: image(dockerfile, '5'),
    } as Record<ImageName, PlanFacts['images'][ImageName]>,
    payloads: byName({
      'tektoncd/pipeline': inputs('6', 'github.com/tektoncd/pipeline/cmd/controller'),
      'tektoncd/triggers': inputs('7'),
      'tektoncd/operator': inputs('8'),
    }),
    tools: 'buildah 1.28.2',
    madeBy: 'this version',
  };
}

function byName<Value>(
  values: Readonly<Record<string, Value>>,
): Readonly<Record<ComponentName, Value>> {
  return values as Readonly<Record<ComponentName, Value>>;
}
