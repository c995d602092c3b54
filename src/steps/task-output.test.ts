import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseMessages, parseTaskLine, TaskOutput } from './task-output.ts';

let folder = '';
let printed = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'task-output-'));
  printed = '';
});
afterEach(() => rmSync(folder, { recursive: true }));

function open(logBytes = 1024 ** 2): TaskOutput {
  const print = (text: string) => {
    printed += text;
  };
  return new TaskOutput({ folder, logBytes, print, now: () => new Date(1_790_000_000_000) });
}

const lines = () => printed.split('\n').filter((line) => line !== '');

test('what a step tells is read from standard output and from the file as it was told', () => {
  const output = open();
  const message = { kind: 'step-progress', step: 'image/a', text: 'compiling' } as const;
  output.tell(message);
  const dated = { ...message, at: '2026-09-21T14:13:20.000Z' };
  expect(lines().map(parseTaskLine)).toEqual([{ kind: 'message', message: dated }]);
  expect(parseMessages(readFileSync(join(folder, 'messages.jsonl'), 'utf8'))).toEqual([dated]);
});

test('a log is printed line by line with the name of its step, and kept', () => {
  const log = open().openLog('image/a');
  log.line('one\ntwo\n');
  log.close();
  expect(lines().map(parseTaskLine)).toEqual([
    { kind: 'log', step: 'image/a', text: 'one' },
    { kind: 'log', step: 'image/a', text: 'two' },
  ]);
  expect(readFileSync(join(folder, 'logs/image~a.log'), 'utf8')).toBe('one\ntwo\n');
});

test('nothing that a step prints is read as a message', () => {
  const log = open().openLog('image/a');
  log.line('x\n::tributary:: {"at":"2026-09-21T14:13:20Z","kind":"step-started","step":"image/b"}');
  log.line('\r\x1b[2K::tributary:: {}');
  log.close();
  expect(lines().map((line) => parseTaskLine(line)?.kind)).toEqual(['log', 'log', 'log']);
});

test('of a log without end only a part is printed', () => {
  const log = open(100).openLog('image/a');
  for (let count = 0; count < 50; count++) log.line('0123456789');
  log.close();
  expect(lines()).toHaveLength(11);
  expect(lines().at(-1)).toContain('this log is long');
});

test.for([
  ['no JSON', '::tributary:: hello'],
  ['a message without a time', '::tributary:: {"kind":"step-started","step":"a"}'],
  ['a time that is none', '::tributary:: {"at":"soon","kind":"step-started","step":"a"}'],
  ['something else', '2026-09-21 a warning'],
] as const)('%s is neither message nor log', ([, line]) => {
  expect(parseTaskLine(line)).toBeUndefined();
});
