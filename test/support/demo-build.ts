import type { NewBuild } from '../../src/builds/build.ts';
import type { Lock } from '../../src/plan/lock.ts';
import type { CommitSha, ComponentName, Digest } from '../../src/plan/names.ts';
import { lockDigest, pipelinerunName, tagFor } from '../../src/plan/tag.ts';
import { Product } from '../../src/product/product.ts';

const component = 'tektoncd/pipeline' as ComponentName;
const url = 'https://github.com/tektoncd/pipeline';
const commit = 'c0ffee'.padEnd(40, '0') as CommitSha;

/** A build as it is given to an engine: one component, two images. Names tell builds apart. */
export function demoBuild(name = 'test-my-thing'): NewBuild {
  const base = { kind: 'base', url, branch: 'main', commit } as const;
  const lock: Lock = {
    version: 1,
    name,
    release: 'nightly',
    product: { name: 'demo', file: `sha256:${'0'.repeat(64)}` as Digest, source: base },
    components: { [component]: { kind: 'head', url, ref: 'refs/heads/shiny', commit } },
    patches: {},
    remote: { name: 'demo', push: '127.0.0.1:5000/demo', pull: '127.0.0.1:5000/demo' },
    platforms: ['linux/amd64'],
    strategy: 'images',
  };
  const digest = lockDigest(lock);
  const tag = tagFor(name, digest);
  return {
    tag,
    pipelinerun: pipelinerunName(tag),
    product: demoProduct,
    lockDigest: digest,
    lock,
    read: {
      [component]: { ref: `${component}#shiny`, as: 'head', commit, url, why: 'It is a branch.' },
    },
    requester: 'someone',
    notify: [],
    rebuild: false,
  };
}

const demoProduct = Product.parse({
  product: 'demo',
  layout: 'distgit',
  repository: 'https://github.com/openshift-pipelines/productization',
  releases: { nightly: { branch: 'main', version: '1.7.0', channels: ['latest'], default: true } },
  components: { 'tektoncd/pipeline': {}, 'tektoncd/operator': {} },
  images: {
    controller: { context: 'distgit/containers/controller', of: ['tektoncd/pipeline'] },
    operator: {
      context: 'distgit/containers/operator',
      of: ['tektoncd/operator'],
      kodata: '/kodata',
    },
  },
  bundle: { image: 'operator-bundle', package: 'demo', from: 'distgit/containers/bundle' },
  index: { image: 'operator-index', serve: 'data' },
});
