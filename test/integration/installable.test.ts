import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { createRegistry } from '../../src/adapters/registry/registry.ts';
import type { Build } from '../../src/builds/build.ts';
import { Configuration } from '../../src/config/config.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { pushBusyboxImage } from '../support/busybox-image.ts';
import { callGrpc, type Message, textIn } from '../support/grpc.ts';
import { digestIn } from '../support/images.ts';
import { documentsOf, koResolve } from '../support/ko-resolve.ts';
import { callOlm, catalogObjects, serveCatalog, unordered } from '../support/olm.ts';
import { type Json, type ServiceRig, serviceRig } from '../support/service.ts';
import { tool } from '../support/tools.ts';
import { type ImageConfig, unpackImage } from '../support/unpack-image.ts';

/** OLM's own programs, and ko, judge what one build of the demo product has pushed. */

const components = {
  'tektoncd/pipeline': 'tektoncd/pipeline#4638',
  'tektoncd/operator': 'tektoncd/operator#1400',
};
const packageName = 'openshift-pipelines-operator-rh';
const hexDigest = /@sha256:[0-9a-f]{64}$/;

const world = inject('demo');
let folder: string;
let rig: ServiceRig;
let build: Build;
let plan: Plan;
let csv: Json;
/** Unpacked: `bundle`, `index`, and the names of operator images. */
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tributary-installable-'));
  rig = serviceRig(world);
  const service = await rig.start();
  const { body } = await service.post('/api/builds', { name: 'installable', components });
  build = await service.ended(body.tag);
  expect(build.failure).toBeNull();
  plan = JSON.parse(readFileSync(join(rig.state, `runs/${build.tag}/1/plan.json`), 'utf8'));
  unpackImage(build.bundle.image, at('bundle'));
  unpackImage(build.index.image, at('index'));
  csv = readManifest('clusterserviceversion.yaml');
}, 280_000);

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

describe('the bundle', () => {
  // operator-sdk pulls images by TLS alone: it gets what the image holds.
  test('passes operator-sdk bundle validate with the suite operatorframework', async () => {
    const suite = ['--select-optional', 'suite=operatorframework'];
    const result = await callOlm(
      'operator-sdk',
      ['bundle', 'validate', './bundle', ...suite],
      folder,
    );
    expect(result.stderr).not.toMatch(/level=(warning|error)/);
    expect(result).toMatchObject({ exitCode: 0 });
  });

  test('is told by the catalog as opm render tells it', async () => {
    const migrate = '--migrate-level=bundle-object-to-csv-metadata';
    const reference = csvReferenceOf('bundle');
    const rendered = await callOlm('opm', ['render', reference, '--use-http', migrate], folder);
    expect(rendered.exitCode, rendered.stderr).toBe(0);
    const [theirs] = catalogObjects(rendered.stdout.toString());
    const ours = catalogOf(at('index')).find(({ schema }) => schema === 'olm.bundle');
    expect(unordered(ours)).toEqual(unordered(theirs));
  });

  test('has a name that OLM takes, a version above the shipped one and a display name that tells the build', () => {
    const hash = build.tag.slice(-6);
    expect(csv.metadata.name).toBe(`${packageName}.v1.7.0-t${hash}`);
    expect(csv.metadata.name.length).toBeLessThanOrEqual(63);
    // The operator cuts VERSION at its last dot: two before the hyphen, none after.
    expect(csv.spec.version).toMatch(/^\d+\.\d+\.\d+-t[0-9a-f]{6}$/);
    expect(csv.spec.displayName).toBe(`OpenShift Pipelines (demo) (${build.tag})`);
    expect(csv.metadata.annotations['tributary.dev/tag']).toBe(build.tag);
    expect(csv.spec.replaces).toBe(`${packageName}.v1.7.0`);
    expect(csv.metadata.annotations['olm.skipRange']).toMatch(/<1\.7\.1-0$/);
  });

  test('gives every container of the operator its VERSION', () => {
    const versions = containers().map(({ env }) => variableOf(env, 'VERSION'));
    expect(versions).toEqual([csv.spec.version, csv.spec.version, csv.spec.version]);
  });

  test('names each image of the product in all places that product.yaml says, by the digest that was pushed', () => {
    const lifecycle = containers()[0];
    for (const [name, { csv: places }] of Object.entries(plan.product.images)) {
      const reference = csvReferenceOf(name);
      for (const key of places.env) {
        expect(variableOf(lifecycle.env, key), key).toBe(reference);
        expect(relatedImage(key), key).toBe(reference);
      }
      for (const key of places.related) expect(relatedImage(key), key).toBe(reference);
      const own = containers().filter(({ deployment }) => deployment === places.deployment);
      expect(own.map(({ image }) => image)).toEqual(own.map(() => reference));
    }
  });

  test('names every image by digest, in relatedImages too, save those of others, which stay as they are', () => {
    const references = containers().flatMap(({ image, env }) => [
      image as string,
      ...imageVariables(env).map(({ value }: Json) => value as string),
    ]);
    const related: string[] = csv.spec.relatedImages.map(({ image }: Json) => image);
    expect(new Set(related)).toEqual(new Set(references));
    const external = [...new Set(related)].filter((reference) => !hexDigest.test(reference));
    expect(external).toEqual(['registry.example.com/base/shell:1']);
  });

  test("has the CRD, the RBAC rules, the sample and the IMAGE_* key of the operator's pull request", () => {
    const crd = readManifest('operator.tekton.dev_tektonpruners.yaml');
    expect(crd).toMatchObject({
      kind: 'CustomResourceDefinition',
      metadata: { name: 'tektonpruners.operator.tekton.dev' },
    });
    const owned = csv.spec.customresourcedefinitions.owned.map(({ kind }: Json) => kind);
    expect(owned).toEqual(['TektonConfig', 'TektonPruner']);
    const [permissions] = csv.spec.install.spec.clusterPermissions;
    expect(permissions.rules).toContainEqual({
      apiGroups: ['batch'],
      resources: ['jobs'],
      verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'],
    });
    expect(csv.metadata.annotations['alm-examples']).toContain('TektonPruner');
    const pruner = 'registry.example.com/base/shell:1';
    for (const { env, deployment } of containers().slice(0, 2))
      expect(variableOf(env, 'IMAGE_PRUNER_PRUNER'), deployment).toBe(pruner);
    expect(relatedImage('IMAGE_PRUNER_PRUNER')).toBe(pruner);
  });
});

describe('the index', () => {
  test('passes opm validate', async () => {
    const result = await callOlm('opm', ['validate', 'index/configs'], folder);
    expect(result.exitCode, result.stderr).toBe(0);
  });

  test('offers the bundle in every channel of the release, as upgrade of the shipped one', () => {
    const entry = {
      name: csv.metadata.name,
      replaces: csv.spec.replaces,
      skipRange: csv.metadata.annotations['olm.skipRange'],
    };
    const channels = catalogOf(at('index')).filter(({ schema }) => schema === 'olm.channel');
    expect(channels.map(({ name, entries }) => ({ name, entries }))).toEqual([
      { name: 'latest', entries: [entry] },
      { name: 'pipelines-1.7', entries: [entry] },
    ]);
  });

  test('is served by opm, and offers the bundle to whoever asks', async () => {
    const cache = `--cache-dir=${at('cache')}`;
    const args = ['serve', at('index/configs'), cache, '--cache-enforce-integrity=false'];
    await using catalog = await serveCatalog(tool('opm'), args, folder);
    await expectBundle(catalog.address, build);
  });
});

describe('an index on an opm base', () => {
  let served: Build;
  let config: ImageConfig;
  const root = () => at('opm-index');

  beforeAll(async () => {
    const product = await productServedByOpm();
    const remotes = { demo: { push: rig.remote, insecure: true, default: true } };
    await using other = serviceRig({ ...world, product }, { remotes });
    const service = await other.start();
    const { body } = await service.post('/api/builds', { name: 'served', components });
    served = await service.ended(body.tag);
    expect(served.failure).toBeNull();
    config = unpackImage(served.index.image, root());
  }, 120_000);

  test('changes no image of the product', () => {
    expect(served.images.every(({ reused }) => reused)).toBe(true);
    const digests = (of: Build) => of.images.map(({ digest }) => digest);
    expect(digests(served)).toEqual(digests(build));
  });

  test('has the catalog, its label and the command that serves it', () => {
    expect(catalogOf(root()).map(({ schema }) => schema)).toContain('olm.bundle');
    expect(config.Labels).toEqual({
      'com.example.base': 'opm',
      'operators.operatorframework.io.index.configs.v1': '/configs',
    });
    expect(config.Entrypoint).toEqual(['/bin/opm']);
    expect(config.Cmd?.slice(0, 2)).toEqual(['serve', '/configs']);
  });

  test('serves by itself: its own command in its own root file system', async () => {
    const command = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
    const args = ['--user', '--map-root-user', 'chroot', root(), ...command];
    await using catalog = await serveCatalog('unshare', args, folder);
    await expectBundle(catalog.address, served);
  });
});

describe('the payload', () => {
  const operators = ['openshift-pipelines-operator', 'openshift-pipelines-operator-webhook'];

  beforeAll(() => {
    for (const name of operators) unpackImage(`${rig.remote}/${name}:${build.tag}`, at(name));
  });

  test.for(operators)(
    'is in %s, each component in one version folder, its name told by the payload',
    (name) => {
      const kodata = at(`${name}/kodata`);
      expect(readdirSync(kodata).toSorted()).toEqual([
        ...['pipelines-as-code', 'tekton-addon', 'tekton-pipeline', 'tekton-trigger'],
      ]);
      expect(readdirSync(join(kodata, 'tekton-addon'))).toEqual(['1.0.0']);
      // What the rule keeps, and what it made.
      expect(new Set(readdirSync(join(kodata, 'tekton-pipeline')))).toEqual(
        new Set(['00-prereconcile', versionOf('tektoncd/pipeline', '0.69.0')]),
      );
      expect(readdirSync(join(kodata, 'tekton-trigger'))).toEqual([
        versionOf('tektoncd/triggers', '0.31.0'),
      ]);
      expect(readdirSync(join(kodata, 'pipelines-as-code'))).toEqual([
        versionOf('openshift-pipelines/pipelines-as-code', '0.41.0'),
      ]);
      expect(readdirSync(join(kodata, 'tekton-pipeline/00-prereconcile'))).toEqual([
        'pipelines-scc.yaml',
      ]);
    },
  );

  test('is what the real ko resolve makes of the merged pull request, but for the images and the version', async () => {
    const step = payloadOf('tektoncd/pipeline');
    const merged = checkOut('tektoncd/pipeline');
    const published = await koResolve(merged, ['-R', '-f', 'config/'], step.images);
    expect(published).toContain('displayName');
    const markers = 'markers' in step.rule ? step.rule.markers : [];
    expect(markers).not.toEqual([]);
    const expected = markers.reduce(
      (text, marker) => text.replaceAll(marker, marker.replace('devel', step.version)),
      published,
    );
    const file = at(
      `openshift-pipelines-operator/kodata/tekton-pipeline/${step.version}/00-pipelines.yaml`,
    );
    expect(documentsOf(readFileSync(file, 'utf8'))).toEqual(documentsOf(expected));
  });

  test('names the images of this build, which are in the registry', () => {
    const { images, version } = payloadOf('tektoncd/pipeline');
    const own = Object.entries(images).filter(([path]) => path.includes('/tektoncd/pipeline/'));
    const file = `openshift-pipelines-operator/kodata/tekton-pipeline/${version}/00-pipelines.yaml`;
    const named = new Set(readFileSync(at(file), 'utf8').match(/[^\s"]+:key-[0-9a-f]{64}/g));
    expect(named).toEqual(new Set(own.map(([, reference]) => reference)));
    for (const reference of named) {
      const name = /([^/]+):key-/.exec(reference)?.[1];
      expect(digestIn(reference)).toBe(build.images.find((image) => image.name === name)?.digest);
    }
  });

  /** Nearest tag, `-t` and six digits of the payload's key. */
  function versionOf(component: string, tag: string): string {
    const { key, version } = payloadOf(component);
    expect(version).toBe(`${tag}-t${key?.slice(0, 6)}`);
    return version;
  }

  function payloadOf(component: string) {
    const step = plan.steps.find(({ id }) => id === `payload/${component}`);
    if (step?.kind !== 'payload') throw new Error(`no payload of ${component}`);
    return step;
  }

  /** The commit that was built, fetched from where upstream_sources.yaml says that it is. */
  function checkOut(component: string): string {
    const entry = (parse(plan.upstreamSources) as Json).git.find(({ url }: Json) =>
      url.includes(component),
    );
    const into = at('merged');
    mkdirSync(into);
    const git = (...args: string[]) =>
      execFileSync('git', ['-C', into, ...args], { stdio: 'pipe' });
    git('init', '--quiet');
    git('fetch', '--quiet', entry.url, entry.branch);
    git('checkout', '--quiet', entry.commit);
    return into;
  }
});

function readManifest(name: string): Json {
  const manifests = at('bundle/manifests');
  const file = readdirSync(manifests).find((one) => one.endsWith(name));
  if (file === undefined) throw new Error(`the bundle has no ${name}`);
  return parse(readFileSync(join(manifests, file), 'utf8'));
}

function catalogOf(root: string) {
  const file = join(root, 'configs', packageName, 'catalog.json');
  return catalogObjects(readFileSync(file, 'utf8'));
}

/** `REMOTE/NAME@DIGEST` of an image of the build, or of its bundle. */
function csvReferenceOf(name: string): string {
  if (name === 'bundle') return `${rig.remote}/${plan.product.bundle.image}@${build.bundle.digest}`;
  const image = build.images.find((one) => one.name === name);
  return `${rig.remote}/${name}@${image?.digest}`;
}

/** Containers of all deployments of the CSV, with the name of theirs. */
function containers(): Json[] {
  return csv.spec.install.spec.deployments.flatMap(({ name, spec }: Json) =>
    spec.template.spec.containers.map((container: Json) => ({ ...container, deployment: name })),
  );
}

function imageVariables(env: Json[]): Json[] {
  return env.filter(({ name }) => name.startsWith('IMAGE_'));
}

function variableOf(env: Json[], name: string): unknown {
  return env.find((variable) => variable.name === name)?.value;
}

function relatedImage(name: string): unknown {
  return csv.spec.relatedImages.find((entry: Json) => entry.name === name)?.image;
}

/** A copy of the demo's product.yaml whose index is served by an opm base made here: the real opm on busybox. */
async function productServedByOpm(): Promise<string> {
  const { registry: host } = world;
  const registry = await createRegistry(
    Configuration.parse({
      remotes: { bases: { push: `${host}/base`, insecure: true, default: true } },
      registries: { [host]: { insecure: true } },
    }),
    { folder },
  );
  const opm = { mode: '100755' as const, content: readFileSync(tool('opm')) };
  await pushBusyboxImage(registry, `${host}/base/opm:1`, new Map([['bin/opm', opm]]), {
    Labels: { 'com.example.base': 'opm' },
    Entrypoint: ['/bin/sh'],
    Cmd: ['--help'],
  });
  const product = parse(readFileSync(world.product, 'utf8')) as Json;
  const base = 'registry.example.com/base/opm:1';
  const index = { ...product.index, serve: 'opm', base };
  writeFileSync(at('product.yaml'), stringify({ ...product, index }));
  return at('product.yaml');
}

/** Asks a catalog as OLM does: it is healthy, has the package, and each channel's head is the build's bundle. */
async function expectBundle(address: string, of: Build): Promise<void> {
  await callGrpc(address, 'grpc.health.v1.Health/Check');
  const packages = await callGrpc(address, 'api.Registry/ListPackages');
  expect(packages.map((one) => textIn(one, 1))).toEqual([packageName]);
  for (const channel of ['latest', 'pipelines-1.7']) {
    const [head] = await callGrpc(
      address,
      'api.Registry/GetBundleForChannel',
      packageName,
      channel,
    );
    expect(describeBundle(head)).toEqual({
      csv: `${packageName}.v1.7.0-t${of.tag.slice(-6)}`,
      package: packageName,
      channel,
      image: `${rig.remote}/${plan.product.bundle.image}@${of.bundle.digest}`,
    });
  }
}

/** Fields of api.Bundle (operator-registry, pkg/api/registry.proto). */
function describeBundle(bundle: Message | undefined) {
  return {
    csv: textIn(bundle, 1),
    package: textIn(bundle, 2),
    channel: textIn(bundle, 3),
    image: textIn(bundle, 6),
  };
}
