import { expect, test } from 'vitest';
import { assemblePlan, type PlanFacts } from './assemble-plan.ts';
import { compileCacheOf } from './compile-cache.ts';
import { planFacts } from './plan-facts.fixture.ts';

const cache = ['/var/cache/go-build'];

/** The compile cache of an image, where the request names the operator alone; `change` makes another plan of it. */
function cacheOf(image: string, change: (facts: PlanFacts) => PlanFacts = (facts) => facts) {
  const facts = planFacts();
  const sources = Object.entries(facts.sources).map(([name, source]) => [
    name,
    { ...source, requested: name === 'tektoncd/operator' },
  ]);
  const plan = assemblePlan(
    change({
      ...facts,
      product: { ...facts.product, cache },
      sources: Object.fromEntries(sources),
      lock: { ...facts.lock, patches: {} },
    }),
  );
  const step = plan.steps.find(({ id }) => id === `image/${image}`);
  if (step?.kind !== 'image') throw new Error(`no image ${image}`);
  return compileCacheOf(step, plan);
}

function requesting(component: string) {
  return (facts: PlanFacts): PlanFacts => ({
    ...facts,
    sources: Object.fromEntries(
      Object.entries(facts.sources).map(([name, source]) => [
        name,
        name === component ? { ...source, requested: true } : source,
      ]),
    ),
  });
}

test('images of one component share a cache, whose seeds lie in the remote', () => {
  const controller = cacheOf('controller');
  expect(controller).toEqual({
    ...{ folders: cache, group: 'image/tektoncd/pipeline' },
    ...{ seeds: '127.0.0.1:5000/demo/tributary', own: true },
  });
  expect(cacheOf('webhook')).toEqual(controller);
  expect(cacheOf('sink')).toMatchObject({ group: 'image/tektoncd/triggers' });
});

test('there is none where the product names no folder', () => {
  const none = (facts: PlanFacts) => ({ ...facts, product: { ...facts.product, cache: [] } });
  expect(cacheOf('controller', none)).toBeUndefined();
});

test.for([
  ['a ref of its component', 'operator', undefined],
  ['a ref of the component', 'controller', requesting('tektoncd/pipeline')],
  // The image `cli` of the same group is made of triggers, too.
  [
    'a ref of a component of another image of its group',
    'controller',
    requesting('tektoncd/triggers'),
  ],
  [
    'a ref of the product',
    'controller',
    (facts: PlanFacts) => ({
      ...facts,
      productSource: { ...facts.productSource, requested: true },
    }),
  ],
  [
    'a request to leave out patches',
    'controller',
    (facts: PlanFacts) =>
      ({
        ...facts,
        lock: { ...facts.lock, patches: { 'tektoncd/pipeline': 'none' } },
      }) as PlanFacts,
  ],
] as const)('%s makes what a group compiles nobody else’s', ([, image, change]) => {
  expect(cacheOf(image, change)?.own).toBe(false);
});
