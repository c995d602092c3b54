import { expect, test } from 'vitest';
import { assemblePlan } from './assemble-plan.ts';
import type { Plan, StepOf } from './plan.ts';
import { planFacts } from './plan-facts.fixture.ts';
import { numberedUnits, planUnits, type UnitFacts } from './plan-units.ts';

const cache = ['/var/cache/go-build'];
const pipeline = 'image/tektoncd/pipeline';

function plan(): Plan {
  const facts = planFacts();
  const { product, lock } = facts;
  return assemblePlan({
    ...facts,
    ...{ product: { ...product, cache }, lock: { ...lock, patches: {} } },
  });
}

const facts: UnitFacts = { held: new Set(), seeded: new Set(), shares: 2 };

test('images of a component are one unit, and what a command prints is one of its own', () => {
  expect(planUnits(plan(), facts)).toEqual({
    payload: ['payload/tektoncd/operator', 'payload/tektoncd/pipeline'],
    manifests: ['manifests/tektoncd/operator'],
    '000': ['image/operator'],
    '001': ['image/cli', 'image/controller', 'image/webhook'],
    '002': ['image/sink'],
    '003': ['payload/tektoncd/triggers'],
  });
});

test('no pod is started for what the registry holds', () => {
  const held = new Set(plan().steps.map(({ id }) => id));
  held.delete('image/webhook');
  expect(planUnits(plan(), { ...facts, held })).toEqual({ '000': ['image/webhook'] });
});

test('images that begin with a seed are shared out', () => {
  const units = planUnits(plan(), { ...facts, seeded: new Set([pipeline]) });
  expect(numberedUnits(units).map((name) => units[name])).toEqual([
    ['image/operator'],
    ['image/cli', 'image/controller'],
    ['image/webhook'],
    ['image/sink'],
    ['payload/tektoncd/triggers'],
  ]);
});

test('images without a compile cache are shared out, too', () => {
  const units = planUnits(assemblePlan(planFacts()), { ...facts, shares: 10 });
  expect(numberedUnits(units)).toHaveLength(6);
});

test('of more than 256 units the product’s own images share pods, and no ref shares one with another', () => {
  const made = plan();
  const some = made.steps.find((step) => step.kind === 'image') as StepOf<'image'>;
  const image = (of: string, index: number): StepOf<'image'> => ({
    ...{ ...some, id: `image/${of}-${index}`, group: `image/${of}-${index}` },
    image: of as StepOf<'image'>['image'],
  });
  const steps = Array.from({ length: 400 }, (_, index) =>
    image(index % 40 === 0 ? 'operator' : 'sink', index),
  );
  const sources = Object.entries(made.sources).map(([name, source]) => [
    name,
    { ...source, requested: name === 'tektoncd/operator' },
  ]);
  const large = {
    ...made,
    steps,
    sources: Object.fromEntries(sources),
    lock: { ...made.lock, patches: {} },
  };
  const units = Object.values(planUnits(large, facts));
  expect(units).toHaveLength(256);
  expect(units.flat().sort()).toEqual(steps.map(({ id }) => id).sort());
  const foreign = units.filter((unit) => unit.some((id) => id.startsWith('image/operator')));
  expect(foreign.map((unit) => unit.length)).toEqual(Array(10).fill(1));
});
