import { expect, test } from 'vitest';
import { assemblePlan } from '../../plan/assemble-plan.ts';
import { planFacts } from '../../plan/plan-facts.fixture.ts';
import { readsOf } from './unit-reads.ts';

const facts = planFacts();
const cache = ['/var/cache/go-build'];
const plan = assemblePlan({
  ...facts,
  ...{ product: { ...facts.product, cache }, lock: { ...facts.lock, patches: {} } },
});
const repository = `${plan.lock.remote.push}/tributary`;
const source = (component: string) =>
  `${repository}:key-${plan.sources[component as keyof typeof plan.sources]?.key}`;
const reads = (id: string) =>
  readsOf(
    plan.steps.filter((step) => step.id === id),
    plan,
  );

test('an image reads its sources, the product, its base images and what compilers left', () => {
  const { artifacts, bases, seeds } = reads('image/cli');
  expect(artifacts).toEqual(
    [
      source('tektoncd/pipeline'),
      source('tektoncd/triggers'),
      `${repository}:key-${plan.productSource.key}`,
    ].sort(),
  );
  expect(bases).toEqual([plan.bases['base/go:1'], plan.bases['base/runtime:1']].sort());
  expect(seeds).toHaveLength(2);
});

test('a payload reads its source, and the image that its command runs in', () => {
  expect(reads('payload/tektoncd/pipeline')).toEqual({
    ...{ artifacts: [source('tektoncd/pipeline')], bases: [], seeds: [] },
  });
  expect(reads('payload/tektoncd/triggers').bases).toEqual([plan.bases['base/runtime:1']]);
});

test('manifests are generated from the operator’s source', () => {
  expect(reads('manifests/tektoncd/operator')).toEqual({
    ...{
      artifacts: [source('tektoncd/operator')],
      bases: [plan.bases['base/runtime:1']],
      seeds: [],
    },
  });
});
