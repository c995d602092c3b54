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
