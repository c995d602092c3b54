import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createMemory } from './memory.ts';

let state: string;
beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'tributary-memory-'));
});
afterEach(() => rm(state, { recursive: true, force: true }));

/** Asks, and says whether the answer had to be found out. */
async function ask(question: string, answer: string | undefined) {
  let found = 0;
  const given = await createMemory(state)(question, async () => {
    found++;
    return answer === undefined ? undefined : Buffer.from(answer);
  });
  return [given?.toString(), found];
}

test('an answer is found out once, also that there is none', async () => {
  expect(await ask('a', 'one')).toEqual(['one', 1]);
  expect(await ask('a', 'other')).toEqual(['one', 0]);
  expect(await ask('b', undefined)).toEqual([undefined, 1]);
  expect(await ask('b', 'other')).toEqual([undefined, 0]);
});

test.for<[string, (text: string) => string]>([
  ['torn', (text) => text.slice(0, -3)],
  ['empty', () => ''],
  ['changed', (text) => text.replace(/null|"[^"]*"\]/, '"aGE="]')],
  ['of another question', (text) => text.replace('"a"', '"z"')],
])('what is %s is found out anew', async ([, damage]) => {
  await ask('a', 'one');
  const [name = ''] = await readdir(join(state, 'known'));
  const file = join(state, 'known', name);
  await writeFile(file, damage(await readFile(file, 'utf8')));
  expect(await ask('a', 'two')).toEqual(['two', 1]);
});

test('an error is not remembered, and a large answer is found out again', async () => {
  const broken = createMemory(state)('a', async () => {
    throw new Error('no answer');
  });
  await expect(broken).rejects.toThrow('no answer');
  const large = 'x'.repeat(70_000);
  expect(await ask('a', large)).toEqual([large, 1]);
  expect(await ask('a', 'small')).toEqual(['small', 1]);
});

test('where nothing can be kept, it is found out every time', async () => {
  await writeFile(join(state, 'known'), 'no folder');
  expect(await ask('a', 'one')).toEqual(['one', 1]);
  expect(await ask('a', 'two')).toEqual(['two', 1]);
});
