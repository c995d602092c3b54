import { expect, test } from 'vitest';
import { dataOf, parseDocuments, parseOnly } from './yaml-documents.ts';

const many = (count: number, text: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => text(index)).join('');

test('a stream is read with its lines, and says what it says', () => {
  const parsed = parseDocuments('a: 1\n---\nb: &x [1, 2]\nc: *x\n');
  const documents = parsed.ok ? parsed.value.documents : [];
  expect(documents.map(dataOf)).toEqual([
    { ok: true, value: { a: 1 } },
    { ok: true, value: { b: [1, 2], c: [1, 2] } },
  ]);
});

test.for<[what: string, text: string, problem: string]>([
  ['a key twice', 'a: 1\nb: {c: 1, d: 2, c: 3}\n', '2:17: Map keys must be unique'],
  ['a key twice in an ordered map', '!!omap [a: 1, a: 2]', '1:1: Ordered maps'],
  ['a megabyte too much', `a: ${'x'.repeat(2 ** 20)}`, '1:1: it is larger than 1024 KiB'],
  ['NUL', 'a: 1\nb: x\0y\n', '2:5: it has the character U+0000, which YAML does not allow'],
  ['an escape of a terminal', 'a: \u001b[2J', '1:4: it has the character U+001B'],
  ['bytes that are no UTF-8', Buffer.from('a: \xff', 'latin1').toString(), '1:4: it is not UTF-8'],
  ['UTF-16', Buffer.from('a: 1\n', 'utf16le').toString(), '1:2: it has the character U+0000'],
  ['a second document', 'a: 1\n---\nb: 1\n', 'it has more than one document'],
  ['brackets in brackets', '['.repeat(100_000), 'it is nested more than 200 levels deep'],
  ['closed ones', '['.repeat(300) + ']'.repeat(300), 'it is nested more than 200 levels deep'],
  ['lists in lists', '- '.repeat(300_000), 'it is nested more than 200 levels deep'],
  ['mappings in keys', '{? '.repeat(1000) + '}'.repeat(1000), 'nested more than 200 levels deep'],
  ['aliases by the thousand', `- &a x\n${'- *a\n'.repeat(1001)}`, 'it has more than 1000 aliases'],
  ['syntax that is none', 'a: [1, 2\nb: 1', 'Flow sequence in block collection'],
])('%s is refused, with its place', ([, text, problem]) => {
  const parsed = parseOnly(text);
  const [{ line, column, text: why }] = parsed.ok
    ? [{ line: 0, column: 0, text: 'it was read' }]
    : parsed.failures;
  expect(`${line}:${column}: ${why}`).toContain(problem);
});

test.for<[what: string, text: string]>([
  [
    'of doubled lists',
    `a0: &a0 [x, x]\n${many(40, (n) => `a${n + 1}: &a${n + 1} [*a${n}, *a${n}]\n`)}`,
  ],
  [
    'of merged mappings',
    `a0: &a0 {k: 1}\n${many(40, (n) => `a${n + 1}: &a${n + 1}\n  <<: [*a${n}, *a${n}]\n  k${n}: [*a${n}, *a${n}]\n`)}`,
  ],
])('a bomb %s is refused before it goes off', ([, text]) => {
  const parsed = parseOnly(text, { merge: true });
  expect(parsed.ok && dataOf(parsed.value.document)).toMatchObject({
    ok: false,
    failures: [{ text: 'it has too many aliases' }],
  });
});

test('an alias before its anchor is refused', () => {
  const parsed = parseOnly('- *a\n- &a x\n');
  expect(parsed.ok && dataOf(parsed.value.document)).toMatchObject({
    failures: [{ text: expect.stringContaining('Unresolved alias') }],
  });
});

// A second or two; with the library's check for duplicate keys and its excerpts in messages, half a minute.
test.for<[what: string, text: string]>([
  ['keys', many(45_000, (n) => `k${n}: 1\n`)],
  ['keys in braces', `{${many(40_000, (n) => `k${n}: 1, `)}}`],
  ['anchors', many(45_000, (n) => `- &a${n} x\n`)],
  ['quotes', '"'.repeat(2 ** 18)],
])('a file full of %s is read or refused in seconds', ([, text]) => {
  const before = performance.now();
  const parsed = parseDocuments(text);
  expect(parsed.ok || parsed.failures.length).toBeTruthy();
  expect(performance.now() - before).toBeLessThan(15_000);
});

test('tags make nothing but values, and a prototype stays as it was', () => {
  const text =
    'f: !!js/function "() => 1"\nu: !!python/object:os.system x\n__proto__: {polluted: 1}\nb: !!binary aGk=\nt: 2001-01-01\n';
  const parsed = parseOnly(text);
  const value = parsed.ok ? dataOf(parsed.value.document) : undefined;
  expect(value).toMatchObject({ ok: true, value: { f: '() => 1', u: 'x', t: '2001-01-01' } });
  expect(({} as { polluted?: number }).polluted).toBeUndefined();
  expect(value?.ok && Object.getPrototypeOf(value.value)).toBe(Object.prototype);
});
