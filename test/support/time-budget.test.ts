import { expect, test } from 'vitest';
import { renderTimeBudget } from './time-budget.ts';

test('tells what each suite took of its budget, and which files took the longest', () => {
  const lines = renderTimeBudget(
    [
      { suite: 'static checks', took: 65.2 },
      { suite: 'unit', took: 430 },
    ],
    [
      { file: 'a.test.ts', took: 2 },
      { file: 'b.test.ts', took: 20 },
    ],
  );

  expect(lines).toEqual([
    'time budget (seconds)          took    of',
    '  static checks                  65    60  over',
    '  unit                          430   300  over',
    '  all                           495   360  over',
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
