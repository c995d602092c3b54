import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import type { CommitSha, ComponentName } from '../plan/names.ts';
import { demoProduct } from './demo-product.fixture.ts';
import type { Product } from './product.ts';
import { updateUpstreamSources } from './update-upstream-sources.ts';
import { parseUpstreamSources } from './upstream-sources.ts';

const old = 'b3cbe872a3231dbf0c7d7cd59ae08329db9b22cc';
const pac = 'openshift-pipelines/pipelines-as-code' as ComponentName;
const all = demoProduct();
const product = {
  ...all,
  components: { [pac]: all.components[pac] },
} as Product;

// A millisecond each, all of it inside the YAML library, which reads every file five times.
const cases = Number(process.env['TRIBUTARY_CASES'] ?? 20_000);
const patience = { timeout: 600_000 };
const quoted = (value: string) => fc.constantFrom(value, `'${value}'`, `"${value}"`);
const line = (key: string, values: fc.Arbitrary<string>) =>
  fc
    .tuple(values, fc.constantFrom('', '', "  # note: 'x'", ' # "'))
    .map(([value, comment]) => `${key}: ${value}${comment}`);
const entry = (url: string) =>
  fc
    .tuple(
      line('url', quoted(url)),
      line('branch', quoted('main')),
      line('commit', quoted(old)),
      line('automerge', fc.constantFrom("'yes'", 'no', '*n', 'ü')),
      fc.nat(3),
    )
    .map(([url, branch, commit, other, turn]) => {
      const lines = [url, branch, commit, other];
      return [...lines.slice(turn), ...lines.slice(0, turn)];
    });
const text = fc
  .tuple(
    fc.constantFrom(
      [],
      [],
      [],
      ['url: https://github.com/tektoncd/pipeline', `commit: ${old}  # é`, 'branch: main'],
    ),
    entry('https://github.com/tektoncd/pipelines-as-code.git'),
    fc.constantFrom('', '  '),
    fc.constantFrom('\n', '\r\n'),
    fc.constantFrom('', '\n# é between 🎈\n'),
    fc.constantFrom('', '\ufeff'),
  )
  .map(([one, other, indent, end, between, start]) => {
    const block = (lines: readonly string[]) =>
      lines.map((text, at) => `${indent}${at === 0 ? '- ' : '  '}${text}\n`).join('');
    return `${start}never: &n never\ngit:\n${block(one)}${between}${block(other)}tail: [1]\n`.replaceAll(
      '\n',
      end,
    );
  });
const signs = fc.array(fc.constantFrom(...'aZ09-_./@%+:=~#,[]{}&*!|>\'"`\\?<'), {
  minLength: 1,
  maxLength: 12,
});
const branch = fc.oneof(
  fc.constantFrom('1.10', 'yes', 'null', "it's", 'a#b', '0x1', '1e3', '<<', '~', '2001-01-01'),
  signs.map((parts) => parts.join('')),
);
const commit = fc.oneof(
  fc
    .array(fc.constantFrom(...'0123456789abcdef'), { minLength: 40, maxLength: 40 })
    .map((parts) => parts.join('')),
  fc.constantFrom(`${'1'.repeat(20)}e${'2'.repeat(19)}`, '0'.repeat(40), `0${'7'.repeat(39)}`),
);
const comment = fc.constantFrom(undefined, 'tektoncd/pipeline#1 merged into main', 'a\nb: c\u202e');

test(
  'of any file in this style only the wanted scalars change, and every other byte stays',
  patience,
  () => {
    fc.assert(
      fc.property(text, branch, commit, comment, (before, name, sha, why) => {
        const wanted = {
          ...{
            component: pac,
            url: 'https://git.example.com/x/y',
            branch: name,
            commit: sha as CommitSha,
          },
          ...(why === undefined ? {} : { comment: why }),
        };
        const updated = updateUpstreamSources(before, product, [wanted]);
        if (!updated.ok) return false;
        // It is read again and compared by `updateUpstreamSources` itself; here, the bytes.
        return onlyValuesDiffer(before, updated.value, why !== undefined);
      }),
      { numRuns: cases },
    );
  },
);

test('what was changed says what was asked, by another reading', patience, () => {
  fc.assert(
    fc.property(text, branch, commit, (before, name, sha) => {
      const url = 'https://git.example.com/x/y';
      const wanted = { component: pac, url, branch: name, commit: sha as CommitSha };
      const updated = updateUpstreamSources(before, product, [wanted]);
      const expected = parse(before);
      Object.assign(expected.git.at(-1), { url, branch: name, commit: sha });
      return updated.ok && isDeepStrictEqual(parse(updated.value), expected);
    }),
    { numRuns: 2000 },
  );
});

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
      `${old}`,
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

/** Line by line: the three values of the second entry may differ, and a comment of ours may stand above it. */
function onlyValuesDiffer(before: string, after: string, commented: boolean): boolean {
  const [old, made] = [before.split('\n'), after.split('\n')];
  const start = old.findLastIndex((line) => /^ *- /.test(line));
  if (commented) {
    if (!/^ *# [^\p{C}\u202e]+\r?$/u.test(made[start] ?? '')) return false;
    made.splice(start, 1);
  }
  return (
    made.length === old.length &&
    old.every(
      (line, at) => line === made[at] || (at >= start && isSameButValue(line, made[at] ?? '')),
    )
  );
}

function isSameButValue(line: string, made: string): boolean {
  const [, key = '', note = ''] = /^([ -]*(?:url|branch|commit): )\S+(.*)$/s.exec(line) ?? [];
  return key !== '' && made.startsWith(key) && made.endsWith(note);
}
