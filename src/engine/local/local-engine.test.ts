import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { demoBuild } from '../../../test/support/demo-build.ts';
import { type LocalRig, makeLocalRig } from '../../../test/support/scripted-engine.ts';
import { openSqliteStore } from '../../adapters/storage/sqlite-store.ts';
import type { Build } from '../../builds/build.ts';
import type { BuildEvent } from '../../builds/event.ts';
import type { Tag } from '../../plan/names.ts';
import { engineContract } from '../engine.contract.ts';
import type { Engine } from '../engine.ts';

engineContract('local', () => makeLocalRig());

const forever = new AbortController().signal;

async function eventsOf(engine: Engine, tag: Tag): Promise<BuildEvent[]> {
  const all: BuildEvent[] = [];
  for await (const event of engine.events(tag, forever)) all.push(event);
  return all;
}

async function begun(engine: Engine, tag: Tag, step: string): Promise<void> {
  for await (const event of engine.events(tag, forever)) {
    if (event.kind === 'step-started' && event.step === step) return;
  }
}

describe('the local engine', { timeout: 30_000 }, () => {
  let rig: LocalRig;
  afterEach(() => rig.close());

  test('runs so many builds at once, and the others in their order', async () => {
    rig = await makeLocalRig({ limits: { builds: 1, steps: 4, keepDays: 1 } });
    const builds = ['one', 'two', 'three'].map((name) => demoBuild(name));
    for (const build of builds) {
      await rig.script(build.lock.name, [{ id: 'bundle', does: 'wait' }]);
      await rig.engine.submit(build);
    }
    const positions = async () =>
      Promise.all(builds.map(async ({ tag }) => (await rig.engine.get(tag))?.queuePosition));
    expect(await positions()).toEqual([null, 1, 2]);
    await rig.release('one');
    await eventsOf(rig.engine, builds[0]?.tag as Tag);
    expect(await positions()).toEqual([null, null, 1]);
    for (const { lock } of builds) await rig.release(lock.name);
    const ends = await Promise.all(
      builds.map(async ({ tag }) => (await eventsOf(rig.engine, tag)).at(-1)),
    );
    expect(ends.map((event) => event?.kind)).toEqual(['succeeded', 'succeeded', 'succeeded']);
    const times = ends.map((event) => event?.at ?? '');
    expect(times).toEqual(times.toSorted());
  });

  test('runs so many steps at once over all builds, the most urgent first', async () => {
    rig = await makeLocalRig({ limits: { builds: 2, steps: 1, keepDays: 1 } });
    const build = demoBuild();
    const steps = [
      { id: 'image/short', weight: 1 },
      { id: 'image/long', weight: 9 },
      { id: 'image/middle', weight: 5 },
    ];
    await rig.script(build.lock.name, steps);
    await rig.engine.submit(build);
    const events = await eventsOf(rig.engine, build.tag);
    const order = events.flatMap((event) =>
      event.kind === 'step-started' || event.kind === 'step-finished'
        ? [`${event.kind.slice(5)} ${event.step}`]
        : [],
    );
    const turn = (step: string) => [`started ${step}`, `finished ${step}`];
    expect(order).toEqual([
      ...['prepare', 'image/long', 'image/middle', 'image/short', 'report'].flatMap(turn),
    ]);
  });

  test('a process runs the steps of one build, as long as they succeed, and of no other', async () => {
    rig = await makeLocalRig();
    const builds = ['one', 'two', 'three'].map((name) => demoBuild(name));
    for (const { lock } of builds) {
      const fails = lock.name === 'three' ? 'fail' : 'finish';
      await rig.script(lock.name, [
        { id: 'payload/one' },
        { id: 'image/one', needs: ['payload/one'], does: fails },
        { id: 'bundle', needs: ['image/one'] },
      ]);
    }
    for (const build of builds) {
      await rig.engine.submit(build);
      await eventsOf(rig.engine, build.tag);
    }
    const [one = [], two = [], three = []] = await Promise.all(
      builds.map(({ lock }) => rig.ranBy(lock.name)),
    );
    // prepare, payload, image, bundle, report
    expect([one.length, new Set(one).size]).toEqual([5, 1]);
    expect([two.length, new Set(two).size]).toEqual([5, 1]);
    // After a step that failed, the report has a process of its own.
    expect([three.length, new Set(three).size]).toEqual([4, 2]);
    expect(new Set([...one, ...two, ...three]).size).toBe(4);
  });

  test('steps of one group share a process, which ends with the first that fails', async () => {
    rig = await makeLocalRig();
    const build = demoBuild();
    await rig.script(build.lock.name, [
      { id: 'image/a', group: 'go' },
      { id: 'image/b', group: 'go', does: 'fail' },
      { id: 'image/c', group: 'go' },
    ]);
    await rig.engine.submit(build);
    await eventsOf(rig.engine, build.tag);
    const status = await rig.engine.get(build.tag);
    expect(status?.steps.map(({ state }) => state)).toEqual([
      'succeeded',
      'succeeded',
      'failed',
      'skipped',
      'succeeded',
    ]);
    expect(status?.failure).toMatchObject({ step: 'image/b' });
  });

  test('a step that takes too long is ended, with its verdict', async () => {
    rig = await makeLocalRig({ stepMinutes: 0.3 / 60 });
    const build = demoBuild();
    await rig.script(build.lock.name, [{ id: 'bundle', does: 'wait' }]);
    await rig.engine.submit(build);
    await eventsOf(rig.engine, build.tag);
    expect((await rig.engine.get(build.tag))?.failure).toMatchObject({
      reason: 'step-timeout',
      step: 'bundle',
    });
    expect(await rig.processes()).toBe(0);
  });

  test('a build that ended long ago is forgotten, with its folders; a newer one stays', async () => {
    const day = 24 * 60 * 60 * 1000;
    let now = Date.now() - 20 * day;
    rig = await makeLocalRig({ now: () => new Date(now) });
    const [old, young] = [demoBuild('old'), demoBuild('young')];
    for (const build of [old, young]) {
      await rig.script(build.lock.name, [{ id: 'bundle', logs: ['a line'] }]);
      await rig.engine.submit(build);
      await eventsOf(rig.engine, build.tag);
      now = Date.now() - 10 * day;
    }
    await mkdir(join(rig.state, 'git', old.tag), { recursive: true });
    await rig.engine.close();
    for (let ago = 19; ago >= 0; ago -= 1) {
      now = Date.now() - ago * day;
      await (await rig.another({ now: () => new Date(now) })).close();
    }
    const next = await rig.another({ now: () => new Date(now) });
    await vi.waitFor(async () => expect(await next.engine.get(old.tag)).toBeUndefined(), 10_000);
    await vi.waitFor(() => {
      for (const folder of ['runs', 'logs', 'git'])
        expect(existsSync(join(rig.state, folder, old.tag))).toBe(false);
    }, 10_000);
    expect((await next.engine.get(young.tag))?.state).toBe('succeeded');
    for (const folder of ['runs', 'logs'])
      expect(existsSync(join(rig.state, folder, young.tag))).toBe(true);
    const { kind } = await next.engine.submit(old);
    expect(kind).toBe('created');
    await eventsOf(next.engine, old.tag);
    await next.close();
  });

  test('a clock that jumps to another century and back forgets nothing, and events stay in order', async () => {
    let now = Date.parse('2026-05-05T12:00:00Z');
    rig = await makeLocalRig({ now: () => new Date(now) });
    const build = demoBuild();
    await rig.script(build.lock.name, [{ id: 'image/controller' }, { id: 'bundle', does: 'wait' }]);
    await rig.engine.submit(build);
    await begun(rig.engine, build.tag, 'bundle');
    now = Date.parse('2025-01-01T00:00:00Z');
    await rig.release(build.lock.name);
    const events = await eventsOf(rig.engine, build.tag);
    const times = events.map(({ at }) => at);
    expect(times).toEqual(times.toSorted());
    expect(times.at(-1)).toBe('2026-05-05T12:00:00.000Z');
    await rig.engine.close();

    for (const time of ['2099-01-01T00:00:00Z', '2099-01-01T23:00:00Z', '2026-05-05T13:00:00Z']) {
      now = Date.parse(time);
      const next = await rig.another({ now: () => new Date(now) });
      const at = demoBuild(`built-in-${time.slice(0, 4)}`);
      await rig.script(at.lock.name, []);
      await next.engine.submit(at);
      await eventsOf(next.engine, at.tag);
      await next.close();
    }
    const last = await rig.another();
    const { builds } = await last.engine.list({ limit: 10 });
    expect(builds.map(({ name, state }) => [name, state])).toEqual([
      ['built-in-2026', 'succeeded'],
      ['built-in-2099', 'succeeded'],
      [build.lock.name, 'succeeded'],
    ]);
    await last.close();
  });

  test('closed in the middle and started again, it completes the build and repeats nothing that was finished', async () => {
    rig = await makeLocalRig();
    const build = demoBuild();
    const steps = [
      { id: 'image/controller' },
      { id: 'bundle', needs: ['image/controller'], does: 'wait' } as const,
    ];
    await rig.script(build.lock.name, steps);
    await rig.engine.submit(build);
    await begun(rig.engine, build.tag, 'bundle');
    await rig.engine.close();
    expect(await rig.processes()).toBe(0);

    await rig.release(build.lock.name);
    const next = await rig.another();
    const events = await eventsOf(next.engine, build.tag);
    expect(events.at(-1)).toMatchObject({ kind: 'succeeded', attempt: 1 });
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
    const starts = await Promise.all(
      ['prepare', 'image/controller', 'bundle'].map((step) => rig.starts(build.lock.name, step)),
    );
    expect(starts).toEqual([1, 1, 2]);
    await next.close();
  });

  test('a second engine on the same folder sees, follows and cancels builds without running them', async () => {
    rig = await makeLocalRig();
    const build = demoBuild();
    await rig.script(build.lock.name, [{ id: 'bundle', does: 'wait', logs: ['hello'] }]);
    await rig.engine.submit(build);
    const other = await rig.another({ work: 'none' });
    await begun(other.engine, build.tag, 'bundle');
    const following = eventsOf(other.engine, build.tag);
    expect(await other.engine.cancel(build.tag)).toMatchObject({ value: { state: 'cancelled' } });
    expect((await following).at(-1)?.kind).toBe('cancelled');
    expect((await rig.engine.get(build.tag))?.state).toBe('cancelled');
    expect(await rig.starts(build.lock.name, 'bundle')).toBe(1);
    await other.close();
  });

  test('a second engine that works for itself runs its own builds and leaves others alone', async () => {
    rig = await makeLocalRig({ work: 'none' });
    const left = demoBuild('left');
    await rig.script('left', []);
    await rig.engine.submit(left);
    const other = await rig.another({ work: 'own' });
    const own = demoBuild('own');
    await rig.script('own', []);
    await other.engine.submit(own);
    expect((await eventsOf(other.engine, own.tag)).at(-1)?.kind).toBe('succeeded');
    expect((await rig.engine.get(left.tag))?.state).toBe('queued');
    await other.close();
  });

  test('an engine that works for itself goes on with what it follows, where nobody does', async () => {
    rig = await makeLocalRig({ work: 'none' });
    const left = demoBuild('left');
    await rig.script('left', []);
    await rig.engine.submit(left);
    const other = await rig.another({ work: 'own' });
    expect((await eventsOf(other.engine, left.tag)).at(-1)?.kind).toBe('succeeded');
    await other.close();
  });

  test('no folder is left of a build that was cancelled', async () => {
    rig = await makeLocalRig({ work: 'own' });
    const build = demoBuild();
    await rig.script(build.lock.name, [{ id: 'bundle', does: 'wait' }]);
    await rig.engine.submit(build);
    await begun(rig.engine, build.tag, 'bundle');
    const left = async () => (await readdir(join(rig.state, 'tmp'), { recursive: true })).length;
    expect(await left()).toBe(2);
    await rig.engine.cancel(build.tag);
    expect(await left()).toBe(1);
  });

  test('asked again when it has expired, it begins attempt 2', async () => {
    rig = await makeLocalRig();
    const build = demoBuild();
    await rig.script(build.lock.name, []);
    await rig.engine.submit(build);
    await eventsOf(rig.engine, build.tag);
    const store = openSqliteStore(join(rig.state, 'tributary.sqlite'));
    store.append(build.tag, 1, new Date().toISOString(), [
      { change: { kind: 'expired' }, sequence: 0 },
    ]);
    store.close();
    expect((await rig.engine.get(build.tag))?.state).toBe('expired');
    expect(await rig.engine.submit(build)).toMatchObject({
      kind: 'restarted',
      build: { attempt: 2 },
    });
    await eventsOf(rig.engine, build.tag);
  });

  test('tells the notify targets of start and end, and builds although telling them fails', async () => {
    const told: [string, string, readonly string[]][] = [];
    const notify = (build: Build, targets: readonly string[], moment: string) => {
      told.push([moment, build.state, targets]);
      throw new Error('no route to host');
    };
    rig = await makeLocalRig({ notify, report: () => {} });
    const build = { ...demoBuild(), notify: ['team'] };
    await rig.script(build.lock.name, []);
    await rig.engine.submit(build);
    expect((await eventsOf(rig.engine, build.tag)).at(-1)?.kind).toBe('succeeded');
    await sleep(20);
    expect(told).toEqual([
      ['started', 'running', ['team']],
      ['finished', 'succeeded', ['team']],
    ]);
  });

  test('five hundred watchers cost little', async () => {
    rig = await makeLocalRig();
    const build = demoBuild();
    await rig.script(build.lock.name, [{ id: 'bundle', does: 'wait' }]);
    await rig.engine.submit(build);
    await begun(rig.engine, build.tag, 'bundle');
    const watching = Promise.all(
      Array.from({ length: 500 }, () => eventsOf(rig.engine, build.tag)),
    );
    await rig.release(build.lock.name);
    const lengths = new Set((await watching).map((events) => events.length));
    expect(lengths.size).toBe(1);
  });
});
