import { expect, test } from 'vitest';
import type { Lock, Strategy } from '../../plan/lock.ts';
import { demoProduct } from '../../product/demo-product.fixture.ts';
import { locateIn } from '../../product/place.ts';
import { networkProblems } from './network-problems.ts';
import type { PrepareContext } from './prepare-context.ts';

const demo = demoProduct();
const [[name, image] = expect.fail('the demo has images')] = Object.entries(demo.images);
const product = { ...demo, images: { ...demo.images, [name]: { ...image, network: true } } };

test.for<[strategy: Strategy, allowed: string[], told: number]>([
  ['images', [], 1],
  ['images', [name], 0],
  ['makefile', [], 0],
])('strategy %s, with %j allowed to use the network: %i problems', ([strategy, network, told]) => {
  const context = { configuration: { network }, locate: locateIn(undefined) } as PrepareContext;
  const problems = networkProblems({ strategy } as Lock, product, context);
  expect(problems).toHaveLength(told);
});
