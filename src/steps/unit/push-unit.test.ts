import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { failureOf } from '../../../test/support/failure-of.ts';
import { MemoryRegistry } from '../../../test/support/memory-registry.ts';
import {
  createFolderRegistry,
  type FolderRegistry,
} from '../../adapters/registry/folder-registry.ts';
import { assemblePlan } from '../../plan/assemble-plan.ts';
import { possibleSeeds } from '../../plan/compile-cache.ts';
import type { Plan, StepOf } from '../../plan/plan.ts';
import { planFacts } from '../../plan/plan-facts.fixture.ts';
import { demandKey } from '../key-reference.ts';
import { blobOf, mediaTypes, writeLayout } from '../oci-layout.ts';
import { type PushContext, pushMade, pushSeeds } from './push-unit.ts';

let folder = '';
let registry: MemoryRegistry;
let made: FolderRegistry;
let said: string[];
let count = 0;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'push-unit-'));
  registry = new MemoryRegistry();
  made = createFolderRegistry({ writes: join(folder, 'out') });
  said = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The plan of a request for the operator alone, or for nothing. */
function planOf(...requested: readonly string[]): Plan {
  const facts = planFacts();
  const sources = Object.entries(facts.sources).map(([name, source]) => [
    name,
    { ...source, requested: requested.includes(name) },
  ]);
  return assemblePlan({
    ...facts,
    product: { ...facts.product, cache: ['/var/cache/go-build'] },
    ...{ sources: Object.fromEntries(sources), lock: { ...facts.lock, patches: {} } },
  });
}

function image(plan: Plan, name: string): StepOf<'image'> {
  const step = plan.steps.find(({ id }) => id === `image/${name}`);
  if (step?.kind !== 'image') throw new Error(`no image ${name}`);
  return step;
}

function context(plan: Plan, more: Partial<PushContext> = {}): PushContext {
  const say = (text: string) => void said.push(text);
  return {
    ...{
      plan,
      registry,
      made: join(folder, 'out'),
      limit: 2 ** 20,
      workdir: folder,
      rebuild: false,
      fetched: true,
    },
    ...{ log: say, progress: say, ...more },
  };
}

/** `run` leaves something at a reference. */
async function leave(reference: string, text = reference) {
  const layout = join(folder, `layout-${count++}`);
  const config = blobOf(mediaTypes.config, Buffer.from(JSON.stringify({ text })));
  return [
    await writeLayout(layout, { config, layers: [] }),
    await made.pushLayout(layout, reference),
  ];
}

test('an image goes where its plan says, and is read back', async () => {
  const plan = planOf();
  const step = image(plan, 'sink');
  const { key, reference } = demandKey(step, plan);
  const [digest] = await leave(reference);
  const remote = plan.lock.remote.push;
  expect(await pushMade(step, context(plan))).toEqual({
    ...{ kind: 'image', key, reused: false, digest },
    image: `${plan.lock.remote.pull}/sink@${digest}`,
  });
  expect(registry.writes).toEqual([reference, `${remote}/sink:${plan.tag}`]);
});

test('what else lies there goes nowhere', async () => {
  const plan = planOf();
  const step = image(plan, 'sink');
  const remote = plan.lock.remote.push;
  const foreign = demandKey(image(plan, 'operator'), plan).reference;
  await leave(demandKey(step, plan).reference);
  await leave(foreign);
  await leave(`${remote}/operator:${plan.tag}`);
  await leave(`${remote}/sink:latest`);
  await pushMade(step, context(plan));
  for (const reference of registry.writes)
    expect(reference).toMatch(new RegExp(`/sink:(key-|${plan.tag}$)`));
});

test('what another build pushed meanwhile is used, but for a rebuild', async () => {
  const plan = planOf();
  const step = image(plan, 'sink');
  const { reference } = demandKey(step, plan);
  const layout = join(folder, 'other');
  const config = blobOf(mediaTypes.config, Buffer.from('{"text":"other"}'));
  const other = await writeLayout(layout, { config, layers: [] });
  await registry.pushLayout(layout, reference);
  const [ours] = await leave(reference);
  expect(await pushMade(step, context(plan))).toMatchObject({ digest: other, reused: true });
  const rebuilt = await pushMade(step, context(plan, { rebuild: true }));
  expect(rebuilt).toMatchObject({ digest: ours, reused: false });
  expect(said.join('\n')).toContain('NOT the same bytes');
});

test.for([
  [undefined, 'ended before it had a result.', 'kubectl describe pod'],
  [1, 'ended before it had a result (exit code 1).', 'kubectl describe pod'],
  [137, 'used more memory than it may', 'tekton: {tasks: {images: {limits: {memory: …}}}}'],
] as const)(
  'where nothing was made, and the container ended with %j, it says so',
  async ([ran, detail, hint]) => {
    const plan = planOf();
    expect(await failureOf(pushMade(image(plan, 'sink'), context(plan, { ran })))).toMatchObject({
      reason: 'step-crashed',
      detail: expect.stringContaining(detail),
      hint: expect.stringContaining(hint),
    });
  },
);

test('where not even `fetch` told anything, it says what nodes have to allow', async () => {
  const plan = planOf();
  const nothing = pushMade(image(plan, 'sink'), context(plan, { fetched: false, ran: 1 }));
  expect(await failureOf(nothing)).toMatchObject({
    reason: 'step-crashed',
    detail: expect.stringContaining('user namespace'),
    hint: expect.stringContaining('step-fetch'),
  });
});

test('a registry that does not keep what was pushed is told of', async () => {
  const plan = planOf();
  const step = image(plan, 'sink');
  await leave(demandKey(step, plan).reference);
  registry.manifest = async () => undefined;
  const failure = await failureOf(pushMade(step, context(plan)));
  expect(failure).toMatchObject({ reason: 'registry-unusable' });
});

test('what compilers left of the product’s own sources becomes a seed', async () => {
  const plan = planOf('tektoncd/operator');
  const step = image(plan, 'sink');
  const [seed = ''] = possibleSeeds(step, plan);
  await leave(seed);
  await pushSeeds([step], context(plan));
  expect(registry.writes).toEqual([seed]);
});

test('what code of a ref left never becomes a seed, nor what ran beside it', async () => {
  const plan = planOf('tektoncd/operator');
  const steps = [image(plan, 'operator'), image(plan, 'sink')];
  for (const step of steps) for (const seed of possibleSeeds(step, plan)) await leave(seed);
  await pushSeeds(steps, context(plan));
  await pushSeeds([steps[0] as StepOf<'image'>], context(plan));
  expect(registry.writes).toEqual([]);
});
