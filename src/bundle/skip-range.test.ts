import { expect, test } from 'vitest';
import { skipRange } from './skip-range.ts';

test.for([
  ['1.7.0', undefined, '>=1.6.0 <1.7.1-0'],
  ['1.7.3', undefined, '>=1.6.0 <1.7.4-0'],
  ['1.7.0', '>=1.5.0 <1.7.0', '>=1.5.0 <1.7.1-0'],
  ['1.23.0', '>=1.22.0-0 <1.23.1', '>=1.22.0-0 <1.23.1-0'],
  ['1.7.0', 'nonsense', '>=1.6.0 <1.7.1-0'],
  ['2.0.0', undefined, '>=2.0.0-0 <2.0.1-0'],
] as const)('a build of %s whose product says %s skips %s', ([base, own, expected]) => {
  expect(skipRange(base, own)).toBe(expected);
});
