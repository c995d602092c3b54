import { expect, test } from 'vitest';
import { renderTimeBudget } from './time-budget.ts';

test('tells what each suite took of its budget, and which files took the longest', () => {
  const lines = renderTimeBudget(
    [
      { suite: 'static checks', took: 55.2 },
      { suite: 'unit', took: 300 },
    ],
    [
      { file: 'a.test.ts', took: 2 },
      { file: 'b.test.ts', took: 20 },
    ],
  );

  expect(lines).toEqual([
    'time budget (seconds)          took    of',
    '  static checks                  55    50  over',
    '  unit                          300   270  over',
    '  all                           355   320  over',
    'longest files',
    '     20  b.test.ts',
    '      2  a.test.ts',
  ]);
});

test('has no budget for long repeats', () => {
  expect(renderTimeBudget([{ suite: 'long', took: 5000 }], [])).toEqual([
    'time budget (seconds)          took    of',
    '  long                         5000',
  ]);
});
