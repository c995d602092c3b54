import { expect, test } from 'vitest';
import { holds, median, percentile, type Row, renderTable } from './bench/table.ts';

const row: Row = {
  id: 'name',
  what: 'the same code under a new name',
  against: "the Makefile's `bundle/push`",
  demand: 'at least',
  limit: 20,
  figure: 24.04,
  unit: 'x',
  made: '48.1 s, 2.00 s',
};

test('the median is the middle, whatever the order', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(() => median([])).toThrow('nothing was measured');
});

test('the last percent of a hundred lies above the 99th percentile', () => {
  const figures = Array.from({ length: 101 }, (_, index) => index);
  expect(percentile(figures, 99)).toBe(99);
  expect(percentile([1, 2], 99)).toBeCloseTo(1.99);
});

test.for<[Row['demand'], number, boolean]>([
  ['at least', 19.9, false],
  ['at least', 20, true],
  ['at most', 20, true],
  ['at most', 20.1, false],
])('%s 20: %d holds: %s', ([demand, figure, expected]) => {
  expect(holds({ ...row, demand, figure })).toBe(expected);
});

test('the table says what fell short', () => {
  const short: Row = {
    ...row,
    what: 'memory',
    demand: 'at most',
    limit: 150,
    unit: 'MB',
    figure: 151,
  };
  expect(renderTable([row, short])).toMatchInlineSnapshot(`
    "| what                           | against                      | asked           | found                  | made of        |
    | ------------------------------ | ---------------------------- | --------------- | ---------------------- | -------------- |
    | the same code under a new name | the Makefile's \`bundle/push\` | at least 20.0 x | 24.0 x                 | 48.1 s, 2.00 s |
    | memory                         | the Makefile's \`bundle/push\` | at most 150 MB  | 151 MB **falls short** | 48.1 s, 2.00 s |"
  `);
});
