import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { failureOf } from '../../../test/support/failure-of.ts';
import { joinTold, readTold } from './read-told.ts';

const at = '2026-09-21T14:13:20.000Z';
const started = { at, kind: 'step-started', step: 'image/a' } as const;
const digest = `sha256:${'d'.repeat(64)}`;
const output = { kind: 'image', key: 'a'.repeat(64), reused: false, digest, image: `x@${digest}` };
const finished = { at, kind: 'step-finished', step: 'image/a', output } as const;
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'read-told-'));
  await mkdir(join(folder, 'logs'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const tell = (...messages: readonly object[]) =>
  writeFile(
    join(folder, 'messages.jsonl'),
    messages.map((message) => `${JSON.stringify(message)}\n`).join(''),
  );
const read = (believed = false) => readTold(folder, ['image/a'], { logBytes: 1000, believed });

test('nothing told is nothing read', async () => {
  expect(await read()).toEqual({ messages: [], logs: new Map() });
});

test('a step is told of only by the unit that makes it, and finished only by who pushes', async () => {
  await tell(started, finished, { ...started, step: 'image/b' });
  expect((await read()).messages).toEqual([started]);
  expect((await read(true)).messages).toEqual([started, finished]);
});

test('a step may not tell without end', async () => {
  const progress = { at, kind: 'step-progress', step: 'image/a', text: 'x' };
  await tell(...Array(2000).fill(progress));
  expect((await read()).messages).toHaveLength(500);
});

test('what code of a ref tells is no longer than a step tells, and harmless for a terminal', async () => {
  const text = `\x1b]0;title\x07${'x'.repeat(1_000_000)}`;
  const about = { output: Array(100).fill('y'.repeat(10_000)) };
  const failure = { reason: 'image-build-failed', detail: text, hint: text, about };
  const said = [
    { at, kind: 'step-progress', step: 'image/a', text },
    { at, kind: 'step-retrying', step: 'image/a', what: text, why: text, retry: 1, seconds: 1 },
    { at, kind: 'step-failed', step: 'image/a', failures: [failure, failure] },
  ];
  await tell(...said);
  const heard = JSON.stringify((await read()).messages);
  expect(heard.length).toBeLessThan(20_000);
  expect(heard).toContain('image-build-failed');
  expect(heard).not.toContain('title');
  await tell(...said.slice(0, 1));
  expect((await read(true)).messages).toEqual(said.slice(0, 1));
});

test('of many failures of a step, as many are heard as there is room for', async () => {
  const failures = Array.from({ length: 50 }, (_, index) => ({
    reason: 'image-build-failed',
    detail: `${index} ${'x'.repeat(2000)}`,
    hint: 'Mend it.',
  }));
  await tell({ at, kind: 'step-failed', step: 'image/a', failures });
  const [message] = (await read()).messages;
  if (message?.kind !== 'step-failed') throw new Error('nothing failed');
  expect(message.failures).toEqual(failures.slice(0, message.failures.length));
  expect(message.failures.length).toBeGreaterThan(25);
  expect(JSON.stringify(message.failures).length).toBeLessThan(65_600);
});

test('what is told of times that cannot be is told of those that can', async () => {
  const before = new Date().toISOString();
  await tell(
    { ...started, at: '1970-01-01T00:00:00Z' },
    { at: '2999-01-01T00:00:00Z', kind: 'step-progress', step: 'image/a', text: 'x' },
  );
  const limits = { logBytes: 1000, believed: false, since: at };
  const [first, second] = (await readTold(folder, ['image/a'], limits)).messages;
  expect(first).toEqual(started);
  expect([second && second.at >= before, second && second.at <= new Date().toISOString()]).toEqual([
    true,
    true,
  ]);
});

test('a step begins, fails and is finished once', async () => {
  await tell(started, finished, started, finished);
  expect((await read(true)).messages).toEqual([started, finished]);
});

test('logs are those of the unit’s steps, and harmless', async () => {
  await writeFile(join(folder, 'logs/image~a.log'), 'fine\x1b]0;title\x07\n');
  await writeFile(join(folder, 'logs/image~b.log'), 'of another\n');
  const { logs } = await read();
  expect([...logs].map(([name, { content }]) => [name, content.toString()])).toEqual([
    ['image~a.log', 'fine\n'],
  ]);
});

test('a log that is a link to a secret is refused', async () => {
  await symlink('/etc/shadow', join(folder, 'logs/image~a.log'));
  expect(await failureOf(read())).toMatchObject({ reason: 'strange-output' });
});

test('a log that is too long to be one of ours is refused', async () => {
  await writeFile(join(folder, 'logs/image~a.log'), Buffer.alloc(10_000, 'x'));
  expect(await failureOf(read())).toMatchObject({ reason: 'strange-output' });
});

test('what several containers told of a step becomes one log', async () => {
  await writeFile(join(folder, 'logs/image~a.log'), 'fetched\n');
  const one = await read();
  const joined = joinTold([one, one]);
  expect(joined.logs.get('image~a.log')?.content.toString()).toBe('fetched\nfetched\n');
});
