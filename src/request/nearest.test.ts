import { expect, test } from 'vitest';
import { didYouMean, nearest, orList } from './nearest.ts';
import { quote } from './quote.ts';

const names = [
  'tektoncd/pipeline',
  'tektoncd/triggers',
  'tektoncd/operator',
  'openshift-pipelines/pipelines-as-code',
];

test.for<[word: string, expected: string[]]>([
  ['tektoncd/pipelin', ['tektoncd/pipeline']],
  ['tektoncd/pipleine', ['tektoncd/pipeline']],
  ['TEKTONCD/PIPELINE', ['tektoncd/pipeline']],
  ['pipeline', ['tektoncd/pipeline', 'openshift-pipelines/pipelines-as-code']],
  ['someone/pipeline', ['tektoncd/pipeline']],
  ['zzzzzzzz', []],
  ['', []],
])('near %j is %j', ([word, expected]) => {
  expect(nearest(word, names)).toEqual(expected);
});

test('the nearest comes first, and no more than the limit', () => {
  expect(nearest('abcd', ['abxy', 'abce', 'abcd', 'abcde'], 2)).toEqual(['abcd', 'abcde']);
});

test('a very long word costs little', () => {
  expect(nearest('a'.repeat(1_000_000), names)).toEqual([]);
});

test('names are listed as people say them', () => {
  expect([[], ['a'], ['a', 'b'], ['a', 'b', 'c']].map(orList)).toEqual([
    '',
    'a',
    'a or b',
    'a, b or c',
  ]);
  expect(didYouMean('zzz', names)).toBeUndefined();
});

test('quoted text is short and visible', () => {
  expect(quote('a"\\\n\u202e\ud800')).toBe('"a\\"\\\\\\u{a}\\u{202e}\ufffd"');
  expect(quote('abcdef', 3)).toBe('"abc…"');
});
