import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseUpstreamSources } from './upstream-sources.ts';

const commit = 'b3cbe872a3231dbf0c7d7cd59ae08329db9b22cc';
const patience = { timeout: 600_000 };

test('any text is read or refused with its line', patience, () => {
  const pieces = fc.constantFrom(
    ...[
      'git:',
      '\n',
      '- ',
      '  ',
      'url: ',
      'branch: ',
      'commit: ',
      commit,
      'https://github.com/tektoncd/pipeline',
    ],
    ...[
      '&a ',
      '*a',
      '<<: ',
      '!!binary ',
      '!!js/function ',
      '{',
      '}',
      '[',
      ']',
      '"',
      "'",
      '|',
      '>',
      '#',
      ': ',
      ',',
      '\t',
      '\0',
      '\ufffd',
      '%YAML 9\n',
      '---',
      '...',
      '? ',
      '__proto__: ',
    ],
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 14 }), (parts) => {
      const parsed = parseUpstreamSources(parts.join(''));
      return (
        parsed.ok ||
        (parsed.failures[0].reason === 'bad-product' &&
          /yaml:\d+: /.test(parsed.failures[0].detail))
      );
    }),
    { numRuns: 100_000 },
  );
  expect(({} as Record<string, unknown>)['url']).toBeUndefined();
});
