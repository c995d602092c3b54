import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MemoryRegistry } from '../../../test/support/memory-registry.ts';
import { FailureError } from '../../builds/failure.ts';
import { assemblePlan } from '../../plan/assemble-plan.ts';
import { textFile } from '../../plan/file-tree.ts';
import { planFacts } from '../../plan/plan-facts.fixture.ts';
import { planUnits } from '../../plan/plan-units.ts';
import { writeArtifact } from '../artifact.ts';
import { basePackReference, ownBasePack, pushBasePack } from './base-pack.ts';
import { basesOf } from './unit-reads.ts';

const plan = assemblePlan(planFacts());
const units = planUnits(plan, { held: new Set(), seeded: new Set(), shares: 10 });
const taskPlan = { plan, held: [], units };
const reference = '127.0.0.1:5000/demo/tributary:bases-some';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'base-pack-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function stepsOf(unit: string) {
  return plan.steps.filter(({ id }) => units[unit]?.includes(id));
}

test('of the units that read the same base images the first packs them', () => {
  const packs = Object.keys(units).map((unit) => ownBasePack(unit, taskPlan));
  const made = packs.filter((pack) => pack !== undefined);
  const wanted = Object.keys(units)
    .map((unit) => basesOf(stepsOf(unit), plan))
    .filter((bases) => bases.length > 0)
    .map((bases) => basePackReference(bases, plan));
  expect(wanted.length).toBeGreaterThan(made.length);
  expect(made.toSorted()).toEqual([...new Set(wanted)].toSorted());
});

test('other base images, another platform and other tools are other packs', () => {
  const base = { reference: 'registry.example.com/base@sha256:00', platform: 'linux/amd64' };
  const packs = [
    basePackReference([base], plan),
    basePackReference([{ ...base, platform: 'linux/arm64' }], plan),
    basePackReference([base, { ...base, reference: 'registry.example.com/other' }], plan),
    basePackReference([base], { ...plan, madeBy: 'others' }),
  ];
  expect(new Set(packs).size).toBe(4);
  expect(packs[0]).toMatch(/\/tributary:bases-[0-9a-f]{32}$/);
});

test('a pack goes from the pod to the registry, and that it cannot harms nobody', async () => {
  const [fetched, registry] = [new MemoryRegistry(), new MemoryRegistry()];
  const said: string[] = [];
  const means = { registry, workdir: folder, log: (text: string) => void said.push(text) };
  await pushBasePack(reference, fetched, means);
  expect([await registry.manifest(reference), said]).toEqual([undefined, []]);
  const files = new Map([['root/a', textFile('a')]]);
  await writeArtifact(fetched, folder, reference, { kind: 'bases', metadata: {}, files });
  await pushBasePack(reference, fetched, means);
  expect(await registry.manifest(reference)).toEqual(await fetched.manifest(reference));
  const trouble = {
    reason: 'registry-unusable',
    detail: 'It is full.',
    hint: 'Make room.',
  } as const;
  registry.pushLayout = () => Promise.reject(new FailureError(trouble));
  await pushBasePack(reference, fetched, means);
  expect(said.at(-1)).toBe('warning: the base images are not kept: It is full.');
});
