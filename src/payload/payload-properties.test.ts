import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FileTree, textFile } from '../plan/file-tree.ts';
import { substituteReferences } from './substitute-references.ts';
import { walkInputs } from './walk-inputs.ts';

const often = { numRuns: 100_000 };
const patience = { timeout: 600_000 };
const ko = 'ko://example.com/app/cmd/controller';
const image = '127.0.0.1:5000/demo/controller:key-00ff';
const images = { 'example.com/app/cmd/controller': image };

const pieces = fc.constantFrom(
  ...[ko, `"${ko}"`, `'${ko}'`, `--x=${ko}`, `# ${ko}`, 'ko://example.com/other', 'ko://'],
  ...[
    '\n',
    '\n',
    '\n',
    'a: ',
    'b: ',
    '- ',
    '  ',
    '---\n',
    '...\n',
    '{',
    '}',
    '[',
    ']',
    ', ',
    ': ',
    '? ',
  ],
  ...[
    '&a ',
    '*a',
    '!!str ',
    '!own ',
    '!!js/function ',
    '<<: ',
    '"',
    "'",
    '|\n',
    '>-\n',
    '#',
    '\t',
    '\r\n',
  ],
  ...['%TAG ! x\n', '%YAML 1.1\n', '\0', '\ufeff', '\ufffd', '__proto__: ', 'é', 'x'],
);

test('of any text only references change, or it is refused with file and line', patience, () => {
  let replaced = 0;
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 10 }), (parts) => {
      const text = parts.join('');
      const result = substituteReferences('a.yaml', text, images);
      if (!result.ok) return /^a\.yaml/.test(result.failures[0].detail);
      replaced += result.value === text ? 0 : 1;
      // What stands in its place is put back: nothing else may differ but the marks and ends of a block scalar.
      return withoutBlocks(result.value.replaceAll(image, ko)) === withoutBlocks(text);
    }),
    often,
  );
  // Else the property says nothing.
  expect(replaced).toBeGreaterThan(1000);
});

function withoutBlocks(text: string): string {
  return text.replaceAll(/[\s|>-]+/g, '');
}

/** A small stream by construction: which values are references is known before. */
const value = fc.constantFrom<readonly [text: string, after: string]>(
  [ko, image],
  [`"${ko}"`, `"${image}"`],
  [`'${ko}'`, `'${image}'`],
  [`!!str ${ko}`, `!!str ${image}`],
  [`&x ${ko}`, `&x ${image}`],
  [`[${ko}, {k: "${ko}"}]`, `[${image}, {k: "${image}"}]`],
  [`{${ko}: v}`, `{${image}: v}`],
  ...[
    '--x=ko://a',
    `x ${ko}`,
    `!own ${ko}`,
    `v # ${ko}`,
    `"say \\"${ko}"`,
    `|\n  run ${ko}`,
    '1.10',
    '',
  ].map((text) => [text, text] as const),
);

test('document for document, exactly the references change', patience, () => {
  const documents = fc.array(fc.array(value, { minLength: 1, maxLength: 2 }), { maxLength: 2 });
  fc.assert(
    fc.property(documents, (contents) => {
      const stream = (which: 0 | 1) =>
        contents
          .map((values) => `${values.map((one, at) => `k${at}: ${one[which]}\n`).join('')}---\n`)
          .join('');
      const result = substituteReferences('a.yaml', stream(0), images);
      return result.ok && result.value === stream(1);
    }),
    often,
  );
});

const segment = fc.constantFrom(
  'a',
  'b',
  'B',
  'a.yaml',
  'a-b',
  'a.b.yaml',
  'é.yaml',
  'z.json',
  'c.yml',
  'a0',
);
const paths = fc.array(
  fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/')),
  { minLength: 1, maxLength: 6 },
);

test('files come in the order of a walk over folders', patience, () => {
  fc.assert(
    fc.property(paths, fc.boolean(), (names, recursive) => {
      const whole = ['in/x.yaml', ...names.map((name) => `in/${name}`)];
      const isFile = (path: string) => !whole.some((other) => other.startsWith(`${path}/`));
      const tree: FileTree = new Map(whole.filter(isFile).map((path) => [path, textFile(path)]));
      const walked = walkInputs(tree, [{ path: 'in', recursive }]);
      const expected = walk('in', [...tree.keys()], recursive);
      return (
        walked.ok &&
        isDeepStrictEqual(
          walked.value.map(({ path }) => path),
          expected,
        )
      );
    }),
    often,
  );
});

/** Go's filepath.Walk, told folder by folder. */
function walk(folder: string, files: readonly string[], recursive: boolean): string[] {
  const inside = files.filter((path) => path.startsWith(`${folder}/`));
  const names = [
    ...new Set(inside.map((path) => path.slice(folder.length + 1).split('/')[0] ?? '')),
  ];
  return names
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .flatMap((name) => {
      const path = `${folder}/${name}`;
      if (files.includes(path)) return /\.(yaml|json)$/.test(name) ? [path] : [];
      return recursive ? walk(path, files, true) : [];
    });
}
