import picocolors from 'picocolors';
import { describe, expect, test } from 'vitest';
import { FakeIo } from '../../../test/support/fake-io.ts';
import type { BuildChange } from '../../builds/event.ts';
import type { Digest, Key } from '../../plan/names.ts';
import { liveTree } from './live-tree.ts';
import { displayWidth, oneLine, truncate } from './text-width.ts';
import { renderTree } from './tree.ts';
import { watchBuild, watchEvent } from './watched-build.ts';

const plain = picocolors.createColors(false);
const start = Date.parse('2026-11-23T10:00:00Z');
const reused = {
  kind: 'image',
  key: 'a' as Key,
  digest: 'sha256:1' as Digest,
  image: 'x',
  reused: true,
} as const;

function watched(changes: readonly BuildChange[]) {
  const build = watchBuild('test-my-thing-72a32c');
  changes.forEach((change, index) => {
    watchEvent(build, {
      ...change,
      id: `${index}`,
      at: new Date(start + index * 1000).toISOString(),
      attempt: 1,
    });
  });
  return build;
}

const steps = ['a', 'b', 'c', 'd'].map(
  (name) => ({ id: `image/${name}`, kind: 'image', needs: [], weight: 1 }) as const,
);
const changes: BuildChange[] = [
  { kind: 'queued' },
  { kind: 'started' },
  { kind: 'step-started', step: 'prepare' },
  { kind: 'step-finished', step: 'prepare', output: null },
  {
    kind: 'planned',
    patches: [],
    steps: [...steps, { id: 'bundle', kind: 'bundle', needs: [], weight: 1 }],
  },
  { kind: 'step-started', step: 'image/a' },
  { kind: 'step-progress', step: 'image/a', text: 'compiling\x1b[2J everything' },
  { kind: 'step-finished', step: 'image/b', output: reused },
  { kind: 'step-started', step: 'image/c' },
  { kind: 'step-failed', step: 'image/c', failures: [] },
];
const frame = { now: start + 65_000, count: 0, columns: 80, rows: 40 };

describe('renderTree', () => {
  test('shows kinds as branches, elapsed time, and what runs', () => {
    expect(renderTree(watched(changes), frame, plain)).toEqual([
      'test-my-thing-72a32c  running 1m05s',
      `✔ ${'prepare'.padEnd(7)}     1.0s`,
      `✘ ${'image'.padEnd(7)}  1/4, 1 reused`,
      `⠋ ${'  a'.padEnd(7)}    1m00s  compiling everything`,
      `✔ ${'  b'.padEnd(7)}   reused`,
      `✘ ${'  c'.padEnd(7)}     1.0s`,
      '·   d',
      '· bundle',
    ]);
  });

  test('folds what is done where the terminal is low, and keeps what runs or failed', () => {
    const lines = renderTree(watched(changes), { ...frame, rows: 8 }, plain);
    expect(lines).toHaveLength(6);
    expect(lines.join('\n')).toContain('compiling');
  });

  test.for([1, 3, 4, 6, 10])(
    'never needs more than a terminal of %s rows, but for three',
    (rows) => {
      expect(renderTree(watched(changes), { ...frame, rows }, plain).length).toBeLessThanOrEqual(
        Math.max(3, rows - 1),
      );
    },
  );

  test.for([1, 2, 5, 20, 47, 79])('no line is wider than a terminal of %s columns', (columns) => {
    for (const line of renderTree(watched(changes), { ...frame, columns }, plain)) {
      expect(displayWidth(line)).toBeLessThanOrEqual(Math.max(2, columns - 1));
    }
  });

  test('a new attempt begins anew', () => {
    const build = watched(changes);
    watchEvent(build, {
      kind: 'queued',
      id: '2',
      at: new Date(start + 60_000).toISOString(),
      attempt: 2,
    });
    expect(renderTree(build, frame, plain)).toEqual([
      'test-my-thing-72a32c  queued, attempt 2 5.0s',
      '· prepare',
    ]);
  });
});

test('the live tree hides the cursor, draws over itself in whole frames, and gives the cursor back', () => {
  const io = new FakeIo();
  io.terminal = true;
  const tree = liveTree('t-000000', io, plain);
  tree.event({ kind: 'queued', id: '1', at: '2026-11-23T10:00:00Z', attempt: 1 });
  tree.end();
  const { out } = io.written;
  expect(out.startsWith('\x1b[?25l\x1b[?2026h\r')).toBe(true);
  // The first frame has one line (the head): the next goes up by one.
  expect(out).toContain('\x1b[?2026h\x1b[1A\r');
  expect(out.endsWith('\x1b[J\x1b[?2026l\x1b[?25h')).toBe(true);
  expect(out.split('\x1b[?2026h')).toHaveLength(out.split('\x1b[?2026l').length);
});

describe('text', () => {
  test.for([
    ['abc', 3],
    ['\x1b[31mabc\x1b[0m', 3],
    ['日本', 4],
    ['é', 1],
    ['🚀', 2],
  ] as const)('%j takes %s columns', ([text, width]) => {
    expect(displayWidth(text)).toBe(width);
  });

  test.for([
    ['abcdef', 4, 'abc…'],
    ['abc', 3, 'abc'],
    ['日本語', 4, '日…'],
    ['abc', 0, ''],
  ] as const)('%j in %s columns is %j', ([text, columns, expected]) => {
    expect(truncate(text, columns)).toBe(expected);
  });

  test('strangers cannot move the cursor or begin a line', () => {
    expect(oneLine('a\x1b[2J\r\nb\x07\x85c\x9b3A')).toBe('a b c');
  });
});
