import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { Configuration } from '../src/config/config.ts';
import { Product } from '../src/product/product.ts';

const demo = join(import.meta.dirname, 'demo');
const productization = join(demo, 'productization');
const product = Product.parse(parse(readFileSync(join(demo, 'product.yaml'), 'utf8')));
const images = Object.entries(product.images);
const folderOf = (component: string) => join(demo, 'upstream', component.replace(/^.*\//, ''));
const bundle = join(productization, product.bundle.from);
const csvFile = 'manifests/openshift-pipelines-operator-rh.clusterserviceversion.yaml';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'demo-product-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('configuration.yaml is a configuration', () => {
  const text = readFileSync(join(demo, 'configuration.yaml'), 'utf8');
  expect(Configuration.parse(parse(text)).remotes['demo']?.default).toBe(true);
});

test('every folder of distgit/containers is named by the product', () => {
  const named = [...images.map(([, { context }]) => context), product.bundle.from];
  const folders = readdirSync(join(productization, 'distgit/containers'));
  expect(folders.map((name) => `distgit/containers/${name}`).sort()).toEqual(named.sort());
});

test.for(images)('%s has its Dockerfile, and its program exists', ([, image]) => {
  expect(existsSync(join(productization, image.context, image.dockerfile))).toBe(true);
  const [component = ''] = image.of;
  const module = /^module (.*)$/m.exec(
    readFileSync(join(folderOf(component), 'go.mod'), 'utf8'),
  )?.[1];
  if (image.go === undefined) return;
  expect(image.go.startsWith(`${module}/`)).toBe(true);
  expect(
    existsSync(join(folderOf(component), image.go.slice(`${module}/`.length), 'main.go')),
  ).toBe(true);
});

test('every ko:// reference of a payload is a program of an image', () => {
  const programs = images.map(([, { go }]) => go);
  for (const [name, { payload }] of Object.entries(product.components)) {
    if (payload?.render !== 'ko') continue;
    const files = readdirSync(join(folderOf(name), 'config'), {
      recursive: payload.inputs[0]?.recursive ?? false,
      encoding: 'utf8',
    });
    const texts = files
      .filter((file) => file.endsWith('.yaml'))
      .map((file) => readFileSync(join(folderOf(name), 'config', file), 'utf8'));
    const references = texts.flatMap((text) => [
      ...text.matchAll(/(?:image: "?|: |", ")ko:\/\/([\w./-]+)/g),
    ]);
    expect(references.length).toBeGreaterThan(1);
    for (const [, path] of references) expect(programs).toContain(path);
  }
});

test('the CSV has every key that the product names, and no other', () => {
  const csv: unknown = parse(readFileSync(join(bundle, csvFile), 'utf8'));
  const related = (csv as { spec: { relatedImages: { name: string; image: string }[] } }).spec
    .relatedImages;
  const external = related.filter(({ image }) => image.startsWith('registry.example.com/base/'));
  const named = images.flatMap(([, { csv: place }]) => [...place.env, ...place.related]);
  expect(related.map(({ name }) => name).sort()).toEqual(
    [...named, ...external.map(({ name }) => name)].sort(),
  );
  expect(external.map(({ name }) => name)).toEqual(['IMAGE_PIPELINES_ARG__SHELL_IMAGE']);
});

describe('the bundle that the operator generates', () => {
  test('is the one that the product has, but for digests', () => {
    const tree = copy('operator', 'bundle-same');
    generate(tree);
    const pinned = /(registry\.example\.com\/openshift-pipelines\/[\w-]+)@sha256:[0-9a-f]{64}/g;
    const shipped = readFileSync(join(bundle, csvFile), 'utf8').replaceAll(pinned, '$1:devel');
    expect(readFileSync(join(tree, 'bundle', csvFile), 'utf8')).toBe(shipped);
    for (const file of [
      'manifests/operator.tekton.dev_tektonconfigs.yaml',
      'metadata/annotations.yaml',
    ]) {
      expect(readFileSync(join(tree, 'bundle', file), 'utf8')).toBe(
        readFileSync(join(bundle, file), 'utf8'),
      );
    }
  });

  test('has the CRD, the rules and the key that pull request 1400 adds', () => {
    const tree = copy('operator', 'bundle-1400');
    const patches = join(demo, 'pull-requests/tektoncd-operator-1400');
    for (const name of readdirSync(patches)) {
      execFileSync('git', ['apply', join(patches, name)], {
        cwd: tree,
        env: { ...process.env, GIT_CEILING_DIRECTORIES: root },
      });
    }
    generate(tree);
    const text = readFileSync(join(tree, 'bundle', csvFile), 'utf8');
    const { spec, metadata } = parse(text) as {
      metadata: { annotations: Record<string, string> };
      spec: {
        customresourcedefinitions: { owned: { kind: string }[] };
        install: { spec: { clusterPermissions: { rules: { resources: string[] }[] }[] } };
      };
    };
    expect(spec.customresourcedefinitions.owned.map(({ kind }) => kind)).toEqual([
      'TektonConfig',
      'TektonPruner',
    ]);
    expect(
      spec.install.spec.clusterPermissions[0]?.rules.flatMap(({ resources }) => resources),
    ).toContain('jobs');
    expect(JSON.parse(metadata.annotations['alm-examples'] ?? '')).toHaveLength(2);
    expect(text.match(/name: IMAGE_PRUNER_PRUNER/g)).toHaveLength(3);
    expect(existsSync(join(tree, 'bundle/manifests/operator.tekton.dev_tektonpruners.yaml'))).toBe(
      true,
    );
  });
});

test('pipelines-as-code prints its payload, with busybox alone', () => {
  const tree = copy('pipelines-as-code', 'payload');
  const text = withBusybox(tree, 'hack/release.sh', { PAC_VERSION: '0.41.0-t1a2b3c' });
  expect(text).toContain(
    'image: "ko://github.com/openshift-pipelines/pipelines-as-code/cmd/pipelines-as-code-controller"',
  );
  expect(text.match(/"0\.41\.0-t1a2b3c"/g)).toHaveLength(4);
  expect(text).not.toContain('"devel"');
});

test.for(['pipeline', 'triggers', 'pipelines-as-code', 'operator'])(
  'go vet and go test pass for %s',
  { timeout: 120_000 },
  (name) => {
    const options = {
      cwd: join(demo, 'upstream', name),
      encoding: 'utf8',
      env: { ...process.env, GOFLAGS: '-mod=mod', GOPROXY: 'off', CGO_ENABLED: '0' },
    } as const;
    execFileSync('go', ['vet', './...'], options);
    expect(execFileSync('go', ['test', './...'], options)).toMatch(/^ok/m);
  },
);

function copy(component: string, name: string): string {
  const tree = join(root, name);
  cpSync(join(demo, 'upstream', component), tree, { recursive: true });
  return tree;
}

function generate(tree: string): void {
  withBusybox(tree, 'hack/bundle.sh', {});
}

/** Runs a script as the base image does: every program that it finds is busybox. */
function withBusybox(tree: string, script: string, env: Record<string, string>): string {
  const bin = join(root, 'bin');
  if (!existsSync(bin)) {
    execFileSync('mkdir', [bin]);
    execFileSync('busybox', ['--install', '-s', bin]);
  }
  return execFileSync('busybox', ['sh', script], {
    cwd: tree,
    encoding: 'utf8',
    env: { PATH: bin, ...env },
  });
}
