import fc from 'fast-check';
import { test } from 'vitest';
import { onlyWantedChanges } from './source-changes.fixture.ts';

// Half of the hundred thousand cases; the others are in update-properties.test.ts, at the same time.
const half = { numRuns: 50_000 };
const patience = { timeout: 600_000 };
const comment = fc.constantFrom('tektoncd/pipeline#1 merged into main', 'a\nb: c\u202e');

test('of any file only a line is added and the wanted scalars change', patience, () => {
  fc.assert(onlyWantedChanges(comment), half);
});
