import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parse } from 'yaml';
import type { Build } from '../../src/builds/build.ts';
import { digestIn, filesOf, kodataOf } from '../support/images.ts';
import { leftoversAfter, processesOf } from '../support/leftovers.ts';
import { callOlm, catalogObjects } from '../support/olm.ts';
import { type Json, type RunningService, type ServiceRig, serviceRig } from '../support/service.ts';
import { smallImages, smallProduct } from '../support/small-demo.ts';
import { unpackImage } from '../support/unpack-image.ts';

/** The product's own Makefile, run as a step: what it makes of the same sources, and how it ends. */

const world = inject('demo');
const triggers = 'tektoncd/triggers';
const operator = 'tektoncd/operator';
const operatorImage = 'openshift-pipelines-operator';
const packageName = 'openshift-pipelines-operator-rh';

let folder: string;
let rig: ServiceRig;
let service: RunningService;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tributary-makefile-'));
  const limits = { 'step-minutes': 60 };
  rig = serviceRig(world, { 'allow-unconfined': true, limits }, { product: smallProduct });
  service = await rig.start();
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const ask = async (name: string, components: object, strategy: string): Promise<Json> => {
  const { status, body } = await service.post('/api/builds', { name, components, strategy });
  expect(body, JSON.stringify(body)).toHaveProperty('tag');
  expect(status).toBe(201);
  return body;
};

describe('a merge and a pick, built by both strategies', () => {
  const components = {
    [triggers]: `${triggers}#1301`,
    [operator]: { ref: 'vdemeester/tektoncd-operator@shiny', as: 'pick', base: 'main' },
  };
  let made: Build;
  let other: Build;
  let csv: Json;

  beforeAll(async () => {
    other = await service.ended((await ask('both', components, 'images')).tag);
    made = await service.ended((await ask('both', components, 'makefile')).tag);
    expect(other.failure).toBeNull();
    expect(made.failure).toBeNull();
    unpackImage(made.bundle.image, join(folder, 'bundle'));
    const manifests = join(folder, 'bundle/manifests');
    const name = readdirSync(manifests).find((one) => one.endsWith('clusterserviceversion.yaml'));
    csv = parse(readFileSync(join(manifests, name ?? ''), 'utf8'));
  }, 280_000);

  test('are two builds: the strategy is part of what was asked for', () => {
    expect(made.tag).not.toBe(other.tag);
    expect(made.steps.map(({ id }) => id)).toEqual([
      ...['prepare', `payload/${operator}`, `payload/${triggers}`],
      ...[`manifests/${operator}`, 'makefile', 'index', 'verify', 'report'],
    ]);
  });

  test('have the same kodata, file for file', () => {
    const kodata = ({ tag }: Build) => kodataOf(`${rig.remote}/${operatorImage}:${tag}`);
    expect(kodata(made).size).toBeGreaterThan(3);
    expect(kodata(made)).toEqual(kodata(other));
  });

  test('have the code of the merge and of the pick in their programs', () => {
    const program = (image: string) =>
      [...filesOf(`${rig.remote}/${image}:${made.tag}`)].find(([path]) =>
        path.startsWith('ko-app/'),
      )?.[1];
    expect(program(smallImages[0])?.includes('says pull request 1301')).toBe(true);
    expect(program(operatorImage)?.includes('the shiny operator starts')).toBe(true);
  });

  test('push every image under the tag, and the CSV names those by digest', () => {
    for (const { name, digest } of made.images) {
      expect(digestIn(`${rig.remote}/${name}:${made.tag}`), name).toBe(digest);
      expect(JSON.stringify(csv)).toContain(`${rig.remote}/${name}@${digest}`);
    }
    expect(made.images).toHaveLength(3);
    expect(digestIn(made.bundle.image)).toBe(made.bundle.digest);
    expect(digestIn(made.index.image)).toBe(made.index.digest);
  });

  test('make a bundle of a version of its own, that the released one upgrades to', () => {
    expect(csv.metadata.name).toBe(`${packageName}.v1.7.0-t${made.tag.slice(-6)}`);
    expect(csv.spec.replaces).toBe(`${packageName}.v1.7.0`);
    const containers = csv.spec.install.spec.deployments.flatMap(
      (deployment: Json) => deployment.spec.template.spec.containers,
    );
    for (const { env } of containers)
      expect(env).toContainEqual({ name: 'VERSION', value: csv.spec.version });
  });

  test('make a bundle that operator-sdk validates and opm renders', async () => {
    const suite = ['--select-optional', 'suite=operatorframework'];
    const validated = await callOlm(
      'operator-sdk',
      ['bundle', 'validate', './bundle', ...suite],
      folder,
    );
    expect(validated.stderr).not.toMatch(/level=(warning|error)/);
    expect(validated.exitCode).toBe(0);
    const rendered = await callOlm('opm', ['render', made.bundle.image, '--use-http'], folder);
    expect(rendered.exitCode, rendered.stderr).toBe(0);
    expect(catalogObjects(rendered.stdout.toString())[0]).toMatchObject({
      schema: 'olm.bundle',
      name: csv.metadata.name,
      package: packageName,
    });
  });

  test('say of images that their source is not provable, and prove payload and manifests', () => {
    const rows = made.inclusion.map(({ component, place, outcome }) => [component, place, outcome]);
    expect(rows.toSorted()).toEqual([
      [operator, `image/${operatorImage}`, 'source-not-provable'],
      [operator, 'manifests', 'included'],
      [operator, 'payload', 'included'],
      ...smallImages.map((image) => [triggers, `image/${image}`, 'source-not-provable']),
      [triggers, 'payload', 'included'],
    ]);
    expect(made.inclusion.every(({ requested }) => requested)).toBe(true);
  });

  test('say so to people too', async () => {
    const { stdout } = await rig.cli('status', made.tag);
    expect(stdout).toMatch(
      /image\/openshift-pipelines-operator +[0-9a-f]{12} +source not provable/,
    );
  });

  test('leave nothing behind on the machine', async () => {
    expect(await leftoversAfter(5, rig.state, service.pid)).toEqual([]);
    expect(controlGroups()).toEqual([]);
  });
});

test('a build that is cancelled while its targets compile is over at once, and leaves nothing', async () => {
  const { tag } = await ask('cancelled', { [triggers]: `${triggers}#1301` }, 'makefile');
  await expect
    .poll(() => processesOf(basename(rig.state)).map(({ text }) => text), {
      timeout: 60_000,
      interval: 50,
    })
    .toContainEqual(expect.stringMatching(/go build|\/compile /));
  const started = Date.now();
  const { body } = await service.post(`/api/builds/${tag}/cancel`);
  expect(body).toMatchObject({ state: 'cancelled', failure: null });
  expect(Date.now() - started).toBeLessThan(5000);
  expect(await leftoversAfter(3, rig.state, service.pid)).toEqual([]);
  expect(controlGroups()).toEqual([]);
});

test('targets that take longer than a step may are ended, and leave nothing', async () => {
  await service.stop();
  const text = readFileSync(rig.configuration, 'utf8');
  writeFileSync(rig.configuration, text.replace('step-minutes: 60', 'step-minutes: 0.1'));
  service = await rig.start();
  const { tag } = await ask('slow', { [triggers]: `${triggers}#1301` }, 'makefile');
  const { state, failure } = await service.ended(tag);
  expect(state).toBe('failed');
  expect(failure).toMatchObject({ reason: 'step-timeout', step: 'makefile' });
  expect(await leftoversAfter(5, rig.state, service.pid)).toEqual([]);
  expect(controlGroups()).toEqual([]);
});

test('without `allow-unconfined` it is refused, with what would allow it', async () => {
  await using careful = serviceRig(world);
  const ref = `${triggers}#1301`;
  const end = await careful.cli('build', ref, '--name', 'x', '--strategy', 'makefile');
  expect(end.exitCode).toBe(2);
  expect(end.stderr).toContain('runs code of the refs unconfined, which is not allowed here');
  expect(end.stderr).toContain('allow-unconfined: true');
});

/** Control groups of runs; those that runtimes make of themselves stand at the top of the hierarchies. */
function controlGroups(): string[] {
  const hierarchies = ['', ...readdirSync('/sys/fs/cgroup')];
  return hierarchies.flatMap((hierarchy) => {
    try {
      const names = readdirSync(join('/sys/fs/cgroup', hierarchy));
      return names.filter((name) => /^buildah-/.test(name)).map((name) => `${hierarchy}/${name}`);
    } catch {
      return [];
    }
  });
}
