import { expect, test } from 'vitest';
import { demoProduct } from '../product/demo-product.fixture.ts';
import type { Product } from '../product/product.ts';
import { defaultStrategy, type StrategyRules, strategyProblems } from './check-strategy.ts';

const product = demoProduct();
const allowed: StrategyRules = {
  remotes: { demo: { push: 'r.example.com/demo' }, two: { push: 'a/b', pull: 'c/b' } },
  'allow-unconfined': true,
};
const { makefile: _, ...withoutMakefile } = product;
const withoutImages: Product = { ...product, images: {} };

test('the default is images, but for a product that describes none', () => {
  expect(defaultStrategy(product)).toBe('images');
  expect(defaultStrategy(withoutImages)).toBe('makefile');
});

test.for<[why: string, Parameters<typeof strategyProblems>, detail: RegExp | null]>([
  ['images', ['images', 'demo', product, { ...allowed, 'allow-unconfined': false }], null],
  [
    'images of a product without',
    ['images', 'demo', withoutImages, allowed],
    /describes no images/,
  ],
  ['a Makefile', ['makefile', 'demo', product, allowed], null],
  ['a Makefile alone', ['makefile', 'demo', withoutImages, allowed], null],
  ['no Makefile', ['makefile', 'demo', withoutMakefile, allowed], /names no targets/],
  [
    'a Makefile that may not run',
    ['makefile', 'demo', product, { ...allowed, 'allow-unconfined': false }],
    /not allowed here/,
  ],
  ['a remote of two names', ['makefile', 'two', product, allowed], /another name \(c\/b\)/],
])('%s', ([, asked, detail]) => {
  const problems = strategyProblems(...asked);
  if (detail === null) expect(problems).toEqual([]);
  else {
    expect(problems).toMatchObject([
      {
        reason: 'strategy-not-possible',
        pointer: '/strategy',
        detail: expect.stringMatching(detail),
      },
    ]);
  }
});
