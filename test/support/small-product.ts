import { type FileTree, textFile } from '../../src/plan/file-tree.ts';
import type { ComponentName } from '../../src/plan/names.ts';
import { Product } from '../../src/product/product.ts';
import { smallCsv } from './small-csv.ts';

export const pipeline = 'tektoncd/pipeline' as ComponentName;
export const operator = 'tektoncd/operator' as ComponentName;

/** Files by path, as text. */
export function tree(files: Readonly<Record<string, string>>): FileTree {
  return new Map(Object.entries(files).map(([path, text]) => [path, textFile(text)]));
}

/** A product of two components and two images, one of which carries the payload. */
export const smallProduct = Product.parse({
  product: 'small',
  layout: 'distgit',
  repository: 'https://github.com/openshift-pipelines/productization',
  releases: {
    nightly: {
      branch: 'main',
      version: '1.7.0',
      channels: ['latest', 'pipelines-1.7'],
      default: true,
    },
  },
  components: {
    [pipeline]: {
      payload: {
        render: 'ko',
        inputs: [{ path: 'config', recursive: true }],
        into: 'tekton-pipeline/{version}/00-pipelines.yaml',
        keep: ['tekton-pipeline/00-prereconcile/**'],
      },
    },
    [operator]: { payload: { render: 'copy', inputs: [{ path: 'kodata' }] } },
  },
  images: {
    controller: {
      context: 'distgit/containers/controller',
      of: [pipeline],
      csv: ['IMAGE_PIPELINES_CONTROLLER'],
    },
    operator: {
      context: 'distgit/containers/operator',
      of: [operator],
      kodata: '/kodata',
      csv: { containers: ['*'] },
    },
  },
  external: ['registry.example.com/base/*'],
  bundle: { image: 'operator-bundle', package: 'small', from: 'bundle' },
  index: { image: 'operator-index', serve: 'data' },
  verify: { revision: ['file:/kodata/HEAD'] },
});

const annotations = `# Kept by hand.
annotations:
  operators.operatorframework.io.bundle.mediatype.v1: registry+v1
  operators.operatorframework.io.bundle.manifests.v1: manifests/
  operators.operatorframework.io.bundle.metadata.v1: metadata/
  operators.operatorframework.io.bundle.package.v1: small
  operators.operatorframework.io.bundle.channels.v1: old
  operators.operatorframework.io.bundle.channel.default.v1: old
`;

const crd = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: smalls.operator.example.com
spec:
  group: operator.example.com
  names: {kind: Small, listKind: SmallList, plural: smalls, singular: small}
  scope: Cluster
  versions:
  - name: v1alpha1
    served: true
    storage: true
    schema:
      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
`;

/** Its upstream_sources.yaml. */
export const smallUpstreamSources = `git:
- {url: https://github.com/tektoncd/pipeline, branch: main, commit: ${'1'.repeat(40)}}
- {url: https://github.com/tektoncd/operator, branch: main, commit: ${'2'.repeat(40)}}
`;

/** The productization repository of the small product. */
export const smallProductFiles: FileTree = tree({
  'bundle/manifests/small.clusterserviceversion.yaml': smallCsv,
  'bundle/manifests/operator.example.com_smalls.yaml': crd,
  'bundle/metadata/annotations.yaml': annotations,
  'distgit/containers/controller/Dockerfile':
    'FROM scratch\nARG CI_PIPELINE_UPSTREAM_COMMIT\nCOPY remote-source/app /\n',
  'distgit/containers/operator/Dockerfile': 'FROM scratch\nCOPY remote-source/app /\n',
  'upstream_sources.yaml': smallUpstreamSources,
});
