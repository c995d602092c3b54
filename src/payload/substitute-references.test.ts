import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { substituteReferences } from './substitute-references.ts';

const images = {
  'example.com/app/cmd/controller': '127.0.0.1:5000/demo/controller:key-00ff',
  'example.com/app/cmd/webhook': `registry.example.com/webhook@sha256:${'a'.repeat(64)}`,
};
const controller = images['example.com/app/cmd/controller'];
const ko = 'ko://example.com/app/cmd/controller';

test.for<[string, string, string]>([
  ['a plain value, and keeps its comment', `image: ${ko} # ${ko}`, `image: ${controller} # ${ko}`],
  ['a value in single quotes', `image: '${ko}'`, `image: '${controller}'`],
  ['a value in double quotes', `image: "${ko}"`, `image: "${controller}"`],
  ['an escaped value', `image: "\\x6bo:${ko.slice(3)}"`, `image: "${controller}"`],
  ['a value with space after it', `image: "${ko}  "`, `image: "${controller}"`],
  ['items of a flow list', `[${ko}, "-a", ${ko}]`, `[${controller}, "-a", ${controller}]`],
  ['JSON', `{"image":"${ko}"}`, `{"image":"${controller}"}`],
  ['a literal block', `image: |\n  ${ko}\nnext: 1\n`, `image: ${controller}\nnext: 1\n`],
  ['an anchored value', `a: &x ${ko}\nb: *x\n`, `a: &x ${controller}\nb: *x\n`],
  ['a key', `${ko}: 1`, `${controller}: 1`],
  ['every document', `a: ${ko}\n---\nb: ${ko}\n`, `a: ${controller}\n---\nb: ${controller}\n`],
])('replaces %s', ([, text, expected]) => {
  expect(substituteReferences('a.yaml', text, images)).toEqual({ ok: true, value: expected });
});

test.for([
  `arg: --image=${ko}`,
  `text: see ${ko}`,
  `text: " ${ko}"`,
  `# image: ${ko}`,
  `script: |\n  # run\n  ${ko}\n`,
  `other: !own ${ko}`,
  'image: KO://example.com/app/cmd/controller',
  'image: ko:/example.com',
])('leaves the look-alike alone: %j', (text) => {
  expect(substituteReferences('a.yaml', text, images)).toEqual({ ok: true, value: text });
});

test('names file, line, reference and nearest programs of all that are unknown', () => {
  const text = `a: 1\nb: ko://example.com/app/cmd/controler\nc:\n- ko://elsewhere.org/x\n- ${ko}\n`;
  const result = substituteReferences('config/x.yaml', text, images);
  expect(!result.ok && result.failures.map(({ reason, about }) => ({ reason, ...about }))).toEqual([
    {
      reason: 'unresolved-image-reference',
      file: 'config/x.yaml',
      line: 2,
      reference: 'ko://example.com/app/cmd/controler',
      nearest: expect.arrayContaining(['example.com/app/cmd/controller']),
    },
    {
      reason: 'unresolved-image-reference',
      file: 'config/x.yaml',
      line: 4,
      reference: 'ko://elsewhere.org/x',
      nearest: [],
    },
  ]);
  expect(!result.ok && result.failures[0].detail).toBe(
    'config/x.yaml:2: no image of the product is ko://example.com/app/cmd/controler.',
  );
});

test.for(['constructor', '__proto__', 'toString'])('knows no image called %s', (name) => {
  expect(substituteReferences('a.yaml', `a: ko://${name}`, images).ok).toBe(false);
});

test('changes the references of any document, and nothing else', () => {
  const scalar = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constantFrom(
      ko,
      `${ko} `,
      ` ${ko}`,
      `--x=${ko}`,
      `${ko}\n`,
      `a\n${ko}`,
      `${ko}: x`.slice(0, ko.length),
    ),
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      scalar,
      fc.array(tie('value'), { maxLength: 4 }),
      tie('map'),
    ),
    map: fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), tie('value'), { maxKeys: 4 }),
  }));
  const styles = fc.record({
    defaultStringType: fc.constantFrom(
      'PLAIN',
      'QUOTE_DOUBLE',
      'QUOTE_SINGLE',
      'BLOCK_LITERAL',
      'BLOCK_FOLDED',
    ),
    collectionStyle: fc.constantFrom('any', 'block', 'flow'),
    lineWidth: fc.constantFrom(0, 80),
  } as const);
  fc.assert(
    fc.property(value, styles, (data, style) => {
      const text = stringify(data, style);
      const result = substituteReferences('any.yaml', text, images);
      expect(result.ok && parse(result.value)).toEqual(replaced(parse(text)));
    }),
    { numRuns: 300 },
  );
});

/** The same on data: what the text must mean afterwards. */
function replaced(data: unknown): unknown {
  if (typeof data === 'string')
    return data.startsWith('ko://') && data.trim() === ko ? controller : data;
  if (Array.isArray(data)) return data.map(replaced);
  if (typeof data !== 'object' || data === null) return data;
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, replaced(value)]));
}

test('leaves a text without references as it is, byte for byte', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (data) => {
      const text = stringify(data);
      fc.pre(!text.includes('ko://'));
      expect(substituteReferences('any.yaml', text, images)).toEqual({ ok: true, value: text });
    }),
    { numRuns: 100 },
  );
});

test.for<[string, string]>([
  ['brackets in brackets', '['.repeat(100_000)],
  ['lists in lists', `${'- '.repeat(20_000)}[`],
  ['a text that is no YAML', 'a: b: c: [}'],
  ['directives that rename tags', '%TAG !e! tag:example.com,2000:\n---\na: 1\n'],
  ['17 MiB', 'a'.repeat(17 * 1024 * 1024)],
])('ends soon with a failure on %s', { timeout: 10_000 }, ([, text]) => {
  const result = substituteReferences('config/hostile.yaml', text, images);
  expect(!result.ok && result.failures[0].reason).toBe('bad-payload');
});

test('expands no aliases', () => {
  const bomb = [
    'a0: &a0 [x, x]',
    ...Array.from({ length: 30 }, (_, n) => `a${n + 1}: &a${n + 1} [*a${n}, *a${n}]`),
  ];
  const text = `${bomb.join('\n')}\nimage: ${ko}\n`;
  expect(substituteReferences('bomb.yaml', text, images)).toEqual({
    ok: true,
    value: text.replace(ko, () => controller),
  });
});
