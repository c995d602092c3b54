import fc from 'fast-check';
import type { CommitSha, ComponentName } from '../plan/names.ts';
import { demoProduct } from './demo-product.fixture.ts';
import type { Product } from './product.ts';
import { type SourceChange, updateUpstreamSources } from './update-upstream-sources.ts';

const old = 'b3cbe872a3231dbf0c7d7cd59ae08329db9b22cc';
const pac = 'openshift-pipelines/pipelines-as-code' as ComponentName;
const all = demoProduct();

/** A product of one component. */
export const oneComponent = {
  ...all,
  components: { [pac]: all.components[pac] },
} as Product;

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
      fc.nat(2),
    )
    .map(([url, branch, commit, turn]) => {
      const lines = [url, branch, commit];
      return [...lines.slice(turn), ...lines.slice(0, turn)];
    });
/** What stands before the list, after the entry, between both, and at the end. */
const around = fc.constantFrom(
  ...[
    ...['', '', '', ''].map((nothing) => [nothing, [], nothing, nothing] as const),
    ['never: &n never\n', ['automerge: *n'], '', ''],
    ['', ["automerge: 'yes'"], '\n# é between 🎈\n', ''],
    ['\ufeff', ['automerge: ü'], '', ''],
    ['\ufeff# é\n', ['x: no'], '\n', 'tail: [1]\n'],
  ].map((parts) => parts as readonly [string, readonly string[], string, string]),
);
/** A file with an entry of the component, its last; small, for nearly all of the time goes into parsing it. */
export const sourcesText = fc
  .tuple(
    fc.constantFrom(...[[], [], [], [], [], []], [
      'url: https://github.com/tektoncd/pipeline',
      `commit: ${old}  # é`,
      'branch: main',
    ]),
    entry('https://github.com/tektoncd/pipelines-as-code.git'),
    around,
    fc.constantFrom('', '  '),
    fc.constantFrom('\n', '\r\n'),
  )
  .map(([one, other, [start, more, between, tail], indent, end]) => {
    const block = (lines: readonly string[]) =>
      lines.map((text, at) => `${indent}${at === 0 ? '- ' : '  '}${text}\n`).join('');
    return `${start}git:\n${block(one)}${between}${block([...other, ...more])}${tail}`.replaceAll(
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

/** What the entry is to say; without a comment. */
export const sourceChange: fc.Arbitrary<SourceChange> = fc
  .tuple(branch, commit)
  .map(([branch, commit]) => ({
    component: pac,
    url: 'https://git.example.com/x/y',
    branch,
    commit: commit as CommitSha,
  }));

/** Whether only the wanted scalars of any such file change, and every other byte stays. */
export function onlyWantedChanges(
  comment: fc.Arbitrary<string | undefined>,
): fc.IProperty<unknown> {
  return fc.property(sourcesText, sourceChange, comment, (before, change, why) => {
    const wanted = why === undefined ? change : { ...change, comment: why };
    const updated = updateUpstreamSources(before, oneComponent, [wanted]);
    // It is read again and compared by `updateUpstreamSources` itself; here, the bytes.
    return updated.ok && onlyValuesDiffer(before, updated.value, why !== undefined);
  });
}

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
