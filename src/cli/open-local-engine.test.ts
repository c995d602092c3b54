import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { demoBuild } from '../../test/support/demo-build.ts';
import { Configuration } from '../config/config.ts';
import { openLocalEngine } from './open-local-engine.ts';

let state: string;
beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'tributary-state-'));
});
afterEach(() => rm(state, { recursive: true, force: true }));

test('runs the real step program, whose failure is that of the build', async () => {
  // Registry and the URL of the product's repository lead to a port where nobody listens.
  const urls = { 'https://github.com/': 'http://127.0.0.1:1/' };
  const remotes = { demo: { push: '127.0.0.1:1/demo', insecure: true } };
  const limits = { 'retry-seconds': 1 };
  const configuration = { ...Configuration.parse({ remotes, urls, limits }), state, file: '' };
  const report = () => {};
  const { engine, close } = await openLocalEngine({
    configuration,
    work: 'own',
    notify: () => {},
    report,
  });
  const build = demoBuild();
  await engine.submit(build);
  for await (const _ of engine.events(build.tag, new AbortController().signal));
  const status = await engine.get(build.tag);
  expect(status?.failure).toMatchObject({
    reason: 'registry-unavailable',
    step: 'prepare',
    owner: 'infrastructure',
  });
  const log = await engine.log(build.tag, 'prepare', false, new AbortController().signal);
  let text = '';
  for await (const piece of log ?? []) text += piece;
  expect(text).toContain(status?.failure?.detail);
  await close();
  expect((await readdir(join(state, 'tmp'), { recursive: true })).length).toBeLessThanOrEqual(1);
}, 30_000);

test('keeps mirrors and seeds within their limits, and leaves the histories alone that builds serve', async () => {
  for (const folder of ['mirrors/a.git', 'seeds/layer-1', 'histories/a.git']) {
    await mkdir(join(state, folder), { recursive: true });
    await writeFile(join(state, folder, 'content'), 'x'.repeat(10_000));
  }
  const limits = { 'bases-gib': 0, 'mirrors-gib': 0, 'seeds-gib': 0 };
  const configuration = { ...Configuration.parse({ remotes: {}, limits }), state, file: '' };
  const { close } = await openLocalEngine({
    ...{ configuration, work: 'own', notify: () => {} },
    report: (text, error) => expect.fail(`${text}: ${error}`),
  });
  const left = async (folder: string) =>
    (await readdir(join(state, folder))).filter((name) => !name.startsWith('.'));
  await vi.waitUntil(async () => (await left('seeds')).length === 0, { timeout: 20_000 });
  expect(await left('mirrors')).toEqual([]);
  expect(await left('histories')).toEqual(['a.git']);
  await close();
}, 30_000);
