import { expect, test } from 'vitest';
import type { Strategy } from '../plan/lock.ts';
import type { CommitSha, ComponentName } from '../plan/names.ts';
import { demoProduct } from '../product/demo-product.fixture.ts';
import { ProductVerdicts } from './product-verdicts.ts';

const product = demoProduct();
const commit = 'a'.repeat(40) as CommitSha;
const asked = {
  release: 'nightly',
  strategy: 'images' as Strategy,
  components: [] as ComponentName[],
  where: 'here',
};

/** Verdicts that count how often the repository was read. */
function counting(fail = false) {
  const verdicts = new ProductVerdicts();
  const reads: string[] = [];
  const of = (changes: Partial<typeof asked>, at = commit) =>
    verdicts.of(at, product, { ...asked, ...changes }, async () => {
      reads.push(at);
      if (fail) throw new Error('away');
      return [];
    });
  return { of, reads };
}

test('the same product at the same commit is read once, also by many at once', async () => {
  const { of, reads } = counting();
  await Promise.all([of({}), of({}), of({ components: ['tektoncd/pipeline' as ComponentName] })]);
  await of({});
  expect(reads).toHaveLength(1);
});

test('another commit, release or strategy, and a CSV that the operator makes, have a verdict of their own', async () => {
  const { of, reads } = counting();
  await of({});
  await of({}, 'b'.repeat(40) as CommitSha);
  await of({ release: '1.6' });
  await of({ strategy: 'makefile' });
  await of({ components: ['tektoncd/operator' as ComponentName] });
  expect(reads).toHaveLength(5);
});

test('what could not be read is read again, and old verdicts are forgotten', async () => {
  const failing = counting(true);
  await expect(failing.of({})).rejects.toThrow('away');
  await expect(failing.of({})).rejects.toThrow('away');
  expect(failing.reads).toHaveLength(2);
  const { of, reads } = counting();
  for (let index = 0; index < 60; index++)
    await of({}, String(index).padStart(40, '0') as CommitSha);
  await of({}, '0'.repeat(40) as CommitSha);
  expect(reads).toHaveLength(61);
});
