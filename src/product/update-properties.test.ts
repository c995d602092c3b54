import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { test } from 'vitest';
import { parse } from 'yaml';
import {
  oneComponent,
  onlyWantedChanges,
  sourceChange,
  sourcesText,
} from './source-changes.fixture.ts';
import { updateUpstreamSources } from './update-upstream-sources.ts';

// Half of the hundred thousand cases; the others are in update-comment-properties.test.ts, at the same time.
const half = { numRuns: 50_000 };
const patience = { timeout: 600_000 };

test('of any file only the wanted scalars change, and every other byte stays', patience, () => {
  fc.assert(onlyWantedChanges(fc.constant(undefined)), half);
});

test('what was changed says what was asked, by another reading', patience, () => {
  fc.assert(
    fc.property(sourcesText, sourceChange, (before, wanted) => {
      const updated = updateUpstreamSources(before, oneComponent, [wanted]);
      const { url, branch, commit } = wanted;
      return (['1.1', '1.2'] as const).every((version) => {
        const expected = parse(before, { version });
        Object.assign(expected.git.at(-1), { url, branch, commit });
        return updated.ok && isDeepStrictEqual(parse(updated.value, { version }), expected);
      });
    }),
    { numRuns: 2000 },
  );
});
