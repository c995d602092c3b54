import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { run } from '../../src/adapters/processes/command.ts';
import type { Plan } from '../../src/plan/plan.ts';
import type { MemoryRegistry } from '../support/memory-registry.ts';
import { demoRegistry, openPrepareWorld, type PrepareWorld } from '../support/prepare-world.ts';

let world: PrepareWorld;
let registry: MemoryRegistry;
beforeAll(async () => {
  world = await openPrepareWorld();
}, 120_000);
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => {
  registry = demoRegistry();
});

const asItIs = { components: {} };
const pull = { components: { 'tektoncd/pipeline': 'tektoncd/pipeline#4638' } };

/** A machine that has nothing yet. */
async function newMachine(): Promise<string> {
  const state = await mkdtemp(join(tmpdir(), 'tributary-machine-'));
  onTestFinished(() => rm(state, { recursive: true }));
  return state;
}

/** Prepares on another machine than the one that answered. */
const prepareOn = (state: string, body: object, more: object = {}) =>
  world.prepare({ name: 'other', ...body }, { registry, state, answeredAt: world.state, ...more });

/** Repositories that were fetched on a machine. */
async function fetched(state: string): Promise<string[]> {
  const names = await readdir(join(state, 'mirrors')).catch(() => []);
  return names
    .filter((name) => /^[^.].*\.git$/.test(name))
    .map((name) => name.replace(/-[0-9a-f]{8}\.git$/, ''))
    .sort();
}

/** A plan without what its name decides. */
function unnamed({ tag, lock, lockDigest, operatorVersion, upstreamSources, ...plan }: Plan) {
  return { ...plan, lock: { ...lock, name: '' } };
}

test('sources that a build prepared are not fetched for another name, not on another machine either', async () => {
  const first = await world.prepare(asItIs, { registry });
  const state = await newMachine();
  const second = await prepareOn(state, asItIs);
  expect(unnamed(second)).toEqual(unnamed(first));
  expect(second.tag).not.toBe(first.tag);
  expect(await fetched(state)).toEqual([]);
});

test('a pull request fetches its own repository alone, to serve what was merged', async () => {
  const first = await world.prepare(pull, { registry });
  const state = await newMachine();
  const second = await prepareOn(state, pull);
  expect(unnamed(second)).toEqual(unnamed(first));
  expect(await fetched(state)).toEqual(['github.com+tektoncd+pipeline']);
  const { commit } = second.sources['tektoncd/pipeline' as never] as Plan['productSource'];
  const served = join(state, 'git', second.tag, 'tektoncd', 'pipeline.git');
  const { stdout } = await run('git', ['--git-dir', served, 'rev-parse', 'HEAD'], { cwd: '/' });
  expect(stdout.toString().trim()).toBe(commit);
});

test('under another name on the same machine, nothing is merged again, and it can be fetched all the same', async () => {
  const state = await newMachine();
  await prepareOn(state, { ...pull, name: 'first' });
  await rm(join(state, 'mirrors'), { recursive: true });
  const { tag } = await prepareOn(state, pull);
  const served = join(state, 'git', tag, 'tektoncd', 'pipeline.git');
  const fsck = ['--git-dir', served, 'fsck', '--strict', '--connectivity-only'];
  expect((await run('git', fsck, { cwd: '/' })).exitCode).toBe(0);
  expect(await fetched(state)).toEqual([]);
});

test('what a rebuild finds out is found out anew', async () => {
  await world.prepare(asItIs, { registry });
  const state = await newMachine();
  await prepareOn(state, asItIs, { rebuild: true });
  expect((await fetched(state)).length).toBeGreaterThan(3);
});

test('a source whose files the registry lost is fetched again', async () => {
  const first = await world.prepare(asItIs, { registry });
  const { key } = first.sources['tektoncd/triggers' as never] as Plan['productSource'];
  registry.manifests.delete(`registry.test/demo/tributary:key-${key}`);
  const state = await newMachine();
  const second = await prepareOn(state, asItIs);
  expect(unnamed(second)).toEqual(unnamed(first));
  expect(await fetched(state)).toEqual(['github.com+tektoncd+triggers']);
  expect(registry.manifests.has(`registry.test/demo/tributary:key-${key}`)).toBe(true);
});

test('another patch policy, or another base of the pull request, is another source', async () => {
  const tree = ({ sources }: Plan) =>
    (sources['tektoncd/pipeline' as never] as Plan['productSource']).tree;
  const plain = await world.prepare(pull, { registry });
  const patches = { 'tektoncd/pipeline': 'none' };
  const unpatched = await world.prepare({ ...pull, patches }, { registry });
  const head = { ref: 'tektoncd/pipeline#4638', as: 'head' };
  const alone = await world.prepare({ components: { 'tektoncd/pipeline': head } }, { registry });
  expect(new Set([plain, unpatched, alone].map(tree)).size).toBe(3);
});
