import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { harmless, LogFile } from './log-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'tributary-log-'));
const path = join(folder, 'logs', 'step.log');
const text = () => readFileSync(path, 'utf8');
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test.for([
  ['colors stay', '\x1b[1;31mred\x1b[0m\n', '\x1b[1;31mred\x1b[0m\n'],
  ['tabs and carriage returns stay', 'a\tb\r\n', 'a\tb\r\n'],
  ['clearing the screen goes', 'a\x1b[2Jb', 'ab'],
  ['moving the cursor goes', 'a\x1b[10;20Hb', 'ab'],
  ['a new title goes, ended by a bell', 'a\x1b]0;title\x07b', 'ab'],
  ['a link goes, ended by a string terminator', 'a\x1b]8;;http://x\x1b\\b', 'ab'],
  ['a string without end goes', 'a\x1b]0;title', 'a'],
  ['two-byte escapes go', 'a\x1bcb\x1b(0', 'ab'],
  ['a lone escape goes', 'a\x1b', 'a'],
  ['a color inside an escape does not come to life', 'a\x1b\x1b[31mb', 'a\x1b[31mb'],
  ['other control characters go', 'a\x00\x07\x08\x0b\x7f\x9bb', 'ab'],
] as const)('%s', ([, raw, clean]) => {
  expect(harmless(raw)).toBe(clean);
});

test('lines are there as soon as they are whole, and the last one when the log is closed', () => {
  const log = new LogFile(path, 2 ** 20);
  log.write('first\nsec');
  expect(text()).toBe('first\n');
  log.write('ond');
  log.close();
  log.close();
  expect(text()).toBe('first\nsecond\n');
});

test('a log goes on where an earlier writer ended', () => {
  for (const line of ['one', 'two']) {
    const log = new LogFile(path, 2 ** 20);
    log.line(line);
    log.close();
  }
  expect(text()).toBe('one\ntwo\n');
});

test('of a log that grows too long the beginning and the end are kept, and it says what is missing', () => {
  const log = new LogFile(path, 1000);
  for (let line = 0; line < 100_000; line += 1) log.line(`line ${line}\x1b[2J`);
  expect(text()).toMatch(/\[this log is long: .*\]\n$/);
  log.close();
  const [head = '', rest = ''] = text().split(/\n\[this log is long: .*\]\n/);
  const [, left, tail = ''] = /^\[(\d+) bytes are left out here\]\n(line .*)$/s.exec(rest) ?? [];
  expect(head.startsWith('line 0\nline 1\n')).toBe(true);
  expect(tail.endsWith('\nline 99999\n')).toBe(true);
  expect(tail).not.toContain('\x1b');
  expect(text().length).toBeLessThan(1200);
  expect(Number(left)).toBeGreaterThan(1_000_000);
});

test('a log just over its limit misses nothing', () => {
  const log = new LogFile(path, 1000);
  const lines = Array.from({ length: 100 }, (_, line) => `line ${line}\n`);
  for (const line of lines) log.write(line);
  log.close();
  const whole = text().replace(/\n\[this log is long: .*\]\n/, '');
  expect(whole).toBe(lines.join(''));
});

test('a line without end is not kept in memory for ever', () => {
  const log = new LogFile(path, 2 ** 20);
  log.write('x'.repeat(70_000));
  expect(text()).toHaveLength(70_000);
  log.close();
});
