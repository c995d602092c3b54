import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FileTree, isInnerPath, treeProblem } from '../plan/file-tree.ts';
import { unpackTree } from './tar-tree.ts';

const limits = { bytes: 8192, entries: 3 };
const often = { numRuns: 100_000 };
const patience = { timeout: 120_000 };

interface Entry {
  readonly name: string;
  /** As in the header: `0` file, `1` hard link, `2` symbolic link, `3` and `4` devices, `5` folder, `x` extended … */
  readonly type: string;
  readonly body: string;
  readonly link: string;
}

const name = fc.constantFrom(
  ...[
    'a',
    'b',
    'a/b',
    'a/b/c',
    './a',
    'a/',
    '.',
    '',
    'ü/漢',
    'x'.repeat(99),
    '.wh.a',
    '.git/config',
  ],
  ...[
    '..',
    '../a',
    'a/../../b',
    '/etc/passwd',
    '/',
    'a//b',
    'a/./b',
    'a\\..\\b',
    'C:\\a',
    '\u001b[2J',
    '\n',
  ],
);
const extended = fc
  .array(
    fc.constantFrom(
      ...[
        'path=../../evil',
        'path=a',
        'linkpath=/etc/passwd',
        'size=99999999999999',
        'size=-1',
        'size=3',
      ],
      ...[
        'GNU.sparse.size=1',
        'GNU.sparse.name=a',
        '__proto__=a',
        'mtime=x',
        'uid=1e99',
        'path=',
        '=',
      ],
    ),
    { maxLength: 3 },
  )
  .map((records) => records.map(paxRecord).join(''));
const entry: fc.Arbitrary<Entry> = fc.record({
  name,
  type: fc.constantFrom(...'0000\x001122255346xgLKSV7'),
  body: fc.oneof(fc.constantFrom('', 'x', 'text', 'y'.repeat(600)), extended, name),
  link: name,
});
/** Bytes that are changed: where, to what, and whether the checksum of that header is mended. */
const mutations = fc.array(fc.tuple(fc.nat(4095), fc.nat(255), fc.boolean()), { maxLength: 3 });

test('of any archive comes a tree within its limits, or a reason', patience, async () => {
  let trusted = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(entry, { maxLength: 4 }),
      fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: mutations }),
      async (entries, changes) => {
        const result = await unpackTree(mutated(archiveOf(entries), changes), limits);
        if (!result.ok) return result.failures.every((why) => why !== '');
        trusted += result.value.size > 0 ? 1 : 0;
        return isInside(result.value);
      },
    ),
    often,
  );
  // Else the property says nothing.
  expect(trusted).toBeGreaterThan(1000);
});

test('bytes that are no archive are refused', patience, async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 700 }), async (bytes) => {
      const result = await unpackTree(Buffer.from(bytes), limits);
      return result.ok ? result.value.size === 0 : result.failures[0] !== '';
    }),
    { numRuns: 20_000 },
  );
});

function isInside(tree: FileTree): boolean {
  const bytes = [...tree.values()].reduce((sum, { content }) => sum + content.length, 0);
  return (
    treeProblem(tree) === undefined &&
    [...tree.keys()].every((path) => isInnerPath(path) && !/^\/|(^|\/)\.\.?(\/|$)/.test(path)) &&
    tree.size <= limits.entries &&
    // A hard link is a copy: no more of them than entries.
    bytes <= limits.bytes * limits.entries
  );
}

function archiveOf(entries: readonly Entry[]): Buffer {
  return Buffer.concat([...entries.flatMap(blocksOf), Buffer.alloc(1024)]);
}

function blocksOf({ name, type, body, link }: Entry): Buffer[] {
  const content = '12345'.includes(type) ? Buffer.alloc(0) : Buffer.from(body);
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write('0000644\0', 100);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write(type, 156, 'latin1');
  header.write(link, 157, 100);
  header.write('ustar\u000000', 257);
  sign(header);
  return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
}

function sign(header: Buffer): void {
  header.fill(' ', 148, 156);
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
}

function mutated(
  archive: Buffer,
  changes: readonly (readonly [number, number, boolean])[],
): Buffer {
  for (const [where, byte, mended] of changes) {
    const at = where % archive.length;
    archive[at] = byte;
    const start = at - (at % 512);
    if (mended) sign(archive.subarray(start, start + 512));
  }
  return archive;
}

function paxRecord(text: string): string {
  const length = Buffer.byteLength(text) + 2;
  const digits = String(length + String(length).length).length;
  return `${length + digits} ${text}\n`;
}
