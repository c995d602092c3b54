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
  const log = new LogFile(path);
  log.write('first\nsec');
  expect(text()).toBe('first\n');
  log.write('ond');
  log.close();
  log.close();
  expect(text()).toBe('first\nsecond\n');
});

test('a log goes on where an earlier writer ended', () => {
  for (const line of ['one', 'two']) {
    const log = new LogFile(path);
    log.line(line);
    log.close();
  }
  expect(text()).toBe('one\ntwo\n');
});

test('a log that grows too long says so once, and no longer', () => {
  const log = new LogFile(path, 100);
  for (let line = 0; line < 1000; line += 1) log.line(`line ${line}`);
  log.close();
  expect(text().length).toBeLessThan(200);
  expect(text().match(/the log was cut here/g)).toHaveLength(1);
});

test('a line without end is not kept in memory for ever', () => {
  const log = new LogFile(path);
  log.write('x'.repeat(70_000));
  expect(text()).toHaveLength(70_000);
  log.close();
});
