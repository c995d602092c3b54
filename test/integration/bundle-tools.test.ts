import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../src/adapters/processes/command.ts';
import { createRegistry } from '../../src/adapters/registry/registry.ts';
import { demand } from '../../src/builds/failure.ts';
import { assembleBundle } from '../../src/bundle/assemble-bundle.ts';
import { Configuration } from '../../src/config/config.ts';
import { type FileTree, type TreeFile, textFile } from '../../src/plan/file-tree.ts';
import { parseProduct } from '../../src/product/load-product.ts';
import { runBundle } from '../../src/steps/bundle/run-bundle.ts';
import { readImageFiles } from '../../src/steps/image-files.ts';
import { runIndex } from '../../src/steps/index/run-index.ts';
import type { Registry } from '../../src/steps/step.ts';
import { writeTree } from '../../src/steps/write-tree.ts';
import { callGrpc } from '../support/grpc.ts';
import { callOlm, catalogObjects, serveCatalog, unordered } from '../support/olm.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { type SmallBuild, smallBuild } from '../support/small-build.ts';
import { smallCsv } from '../support/small-csv.ts';
import { tree } from '../support/small-product.ts';
import { tool } from '../support/tools.ts';

/** OLM's own programs judge what we make. */

let server: TestRegistry;
let registry: Registry;
let folder = '';
let build: SmallBuild;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-tools-'));
  server = await startRegistry();
  const remote = `${server.host}/demo`;
  const configuration = Configuration.parse({
    remotes: { demo: { push: remote, insecure: true, default: true } },
    registries: { [server.host]: { insecure: true } },
  });
  registry = await createRegistry(configuration, { folder });
  build = await smallBuild({ registry, remote });
  await assemble(build);
}, 60_000);

afterAll(async () => {
  await build[Symbol.asyncDispose]();
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

// operator-sdk pulls images by TLS alone: it gets what the image holds.
test('operator-sdk finds nothing wrong with the bundle', async () => {
  const files = await readImageFiles(registry, image('bundle'));
  await writeTree(files, join(folder, 'bundle'));
  const options = ['--select-optional', 'suite=operatorframework'];
  const result = await callOlm(
    'operator-sdk',
    ['bundle', 'validate', './bundle', ...options],
    folder,
  );
  expect(result.stderr).not.toMatch(/level=(warning|error)/);
  expect(result).toMatchObject({ exitCode: 0 });
});

test('the catalog says of the bundle what opm says of it', async () => {
  expect(await ourBundle(build)).toEqual(await theirBundle(build));
});

test('the catalog says what opm says of a bundle with everything that OLM knows', async () => {
  const required = `
    required:
    - {name: others.example.com, kind: Other, version: v1, displayName: Other, description: Of others.}
  apiservicedefinitions:
    owned:
    - {name: smalls.api.example.com, group: api.example.com, kind: Small, version: v1, deploymentName: small-operator, containerPort: 443}
    required:
    - {name: packages.apps.example.com, group: apps.example.com, kind: Package, version: v1}
  nativeAPIs:
  - {group: apps, version: v1, kind: Deployment}
  install:`;
  const properties = JSON.stringify([{ type: 'example.annotated', value: { b: 1, a: [true] } }]);
  const rich = smallCsv
    .replace('\n  install:', required)
    .replace('  annotations:\n', `  annotations:\n    olm.properties: '${properties}'\n`);
  const dependencies = `dependencies:
- {type: olm.gvk, value: {group: g.example.com, kind: G, version: v1}}
- {type: olm.package, value: {packageName: other, version: ">=1.0.0"}}
- {type: olm.constraint, value: {failureMessage: no, package: {packageName: x, versionRange: ">1.0.0"}}}
`;
  const rest = 'properties:\n- {type: olm.maxOpenShiftVersion, value: "4.20"}\n';
  await using everything = await smallBuild({
    ...{ registry, remote: `${server.host}/rich` },
    productFiles: tree({
      'bundle/manifests/small.clusterserviceversion.yaml': rich,
      'bundle/metadata/dependencies.yaml': dependencies,
      'bundle/metadata/properties.yaml': rest,
    }),
  });
  await assemble(everything);
  expect(await ourBundle(everything)).toEqual(await theirBundle(everything));
});

test('opm finds nothing wrong with the catalog', async () => {
  await writeTree(await readImageFiles(registry, image('index')), join(folder, 'catalog'));
  expect(await callOlm('opm', ['validate', 'catalog/configs'], folder)).toMatchObject({
    exitCode: 0,
  });
});

test('opm reads the index image as a catalog with every channel', async () => {
  const rendered = await callOlm('opm', ['render', image('index'), '--use-http'], folder);
  const documents = catalogObjects(rendered.stdout.toString());
  const channels = documents.filter(({ schema }) => schema === 'olm.channel');
  expect(channels.map(({ name }) => name).sort()).toEqual(['latest', 'pipelines-1.7']);
  expect(channels[0]?.['entries']).toEqual([
    {
      name: `small.v${build.plan.operatorVersion}`,
      replaces: 'small.v1.7.0',
      skipRange: '>=1.5.0 <1.7.1-0',
    },
  ]);
});

test('opm serves the catalog with the command of an index on an opm base', async () => {
  // The base stands for an opm image: what matters is the command that the index gives it.
  const base = await build.pushImage(`${server.host}/base/opm:1`, tree({ 'bin/opm': 'opm' }));
  const pinned = `${server.host}/base/opm@${base}`;
  const plan = {
    ...build.plan,
    bases: { 'example.com/opm:1': pinned },
    product: {
      ...build.plan.product,
      index: { ...build.plan.product.index, serve: 'opm' as const, base: 'example.com/opm:1' },
    },
  };
  const step = plan.steps.find(({ kind }) => kind === 'index');
  if (step?.kind !== 'index') throw new Error('no index in the plan');
  const made = await runIndex(step, { ...build.context(), plan });
  if (made.kind !== 'index') throw new Error('no index was made');
  const files = await readImageFiles(registry, made.image);
  expect([...files.keys()].sort()).toEqual(['bin/opm', 'configs/small/catalog.json']);
  await writeTree(files, join(folder, 'root'));

  const inspected = await run(
    'skopeo',
    ['inspect', '--config', '--tls-verify=false', `docker://${made.image}`],
    { cwd: folder },
  );
  const { config } = JSON.parse(inspected.stdout.toString());
  expect(config.Entrypoint).toEqual(['/bin/opm']);
  expect(config.Labels['operators.operatorframework.io.index.configs.v1']).toBe('/configs');
  const args = config.Cmd.map((argument: string) =>
    argument
      .replace('/configs', join(folder, 'root/configs'))
      .replace('/tmp/cache', join(folder, 'cache')),
  );
  await using catalog = await serveCatalog(tool('opm'), args, folder);
  await callGrpc(catalog.address, 'grpc.health.v1.Health/Check');
}, 30_000);

test("operator-sdk finds nothing wrong with the demo product's bundle, whose places are all filled", async () => {
  const product = demand(
    parseProduct(await readFile(join(demo, 'product.yaml'), 'utf8'), 'product.yaml'),
  );
  const digest = `sha256:${'d'.repeat(64)}`;
  const images = Object.entries(product.images).map(
    ([name, { csv }]) =>
      [name, { csv, reference: `127.0.0.1:5000/demo/${name}@${digest}` }] as const,
  );
  const bundle = demand(
    assembleBundle({
      product: await readFolder(join(demo, 'productization', product.bundle.from)),
      folder: product.bundle.from,
      generated: null,
      edits: {
        package: product.bundle.package,
        tag: build.plan.tag,
        operatorVersion: '1.7.0-t72a32c',
        images: Object.fromEntries(images),
        external: product.external,
      },
      release: 'nightly',
      baseVersion: '1.7.0',
      channels: ['latest'],
    }),
  );
  await writeTree(bundle.files, join(folder, 'demo-bundle'));
  const options = ['--select-optional', 'suite=operatorframework'];
  const result = await callOlm(
    'operator-sdk',
    ['bundle', 'validate', './demo-bundle', ...options],
    folder,
  );
  expect(result.stderr).not.toMatch(/level=(warning|error)/);
  expect(result).toMatchObject({ exitCode: 0 });
  const texts = [...bundle.files.values()].map(({ content }) => content.toString()).join('');
  expect(texts).not.toContain('registry.example.com/openshift-pipelines/');
});

test('a manifest that cannot be read is refused by name', async () => {
  const productFiles = tree({
    'bundle/manifests/.gitkeep': '',
    'bundle/manifests/zz.yaml': 'a: [',
  });
  await using broken = await smallBuild({
    ...{ registry, remote: `${server.host}/broken` },
    productFiles: new Map([...productFiles, ['bundle/metadata/x', textFile('')]]),
  });
  const step = broken.plan.steps.find(({ kind }) => kind === 'index');
  const bundle = broken.plan.steps.find(({ kind }) => kind === 'bundle');
  if (bundle?.kind !== 'bundle' || step?.kind !== 'index') throw new Error('no bundle in the plan');
  const made = await runBundle(bundle, broken.context());
  broken.outputs['bundle'] = made;
  await expect(runIndex(step, broken.context())).rejects.toMatchObject({
    failures: [{ reason: 'bad-bundle', detail: expect.stringContaining('manifests/zz.yaml') }],
  });
});

/** Runs the steps bundle and index. */
async function assemble(on: SmallBuild): Promise<void> {
  for (const step of on.plan.steps) {
    if (step.kind === 'bundle') on.outputs[step.id] = await runBundle(step, on.context());
    if (step.kind === 'index') on.outputs[step.id] = await runIndex(step, on.context());
  }
}

async function ourBundle(of: SmallBuild): Promise<unknown> {
  const files = await readImageFiles(registry, image('index', of));
  const text = files.get('configs/small/catalog.json')?.content.toString() ?? '';
  return unordered(catalogObjects(text).find(({ schema }) => schema === 'olm.bundle'));
}

async function theirBundle(of: SmallBuild): Promise<unknown> {
  const migrate = '--migrate-level=bundle-object-to-csv-metadata';
  const rendered = await callOlm(
    'opm',
    ['render', image('bundle', of), '--use-http', migrate],
    folder,
  );
  expect(rendered.stderr).not.toContain('level=error');
  expect(rendered.exitCode).toBe(0);
  return unordered(catalogObjects(rendered.stdout.toString())[0]);
}

const demo = join(import.meta.dirname, '../../examples/demo');

async function readFolder(path: string): Promise<FileTree> {
  const files = new Map<string, TreeFile>();
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    files.set(relative(path, file), textFile(await readFile(file)));
  }
  return files;
}

function image(id: 'bundle' | 'index', of = build): string {
  const output = of.outputs[id];
  if (output === undefined || !('image' in output)) throw new Error(`no ${id} was made`);
  return output.image;
}
