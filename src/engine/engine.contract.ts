import fc from 'fast-check';
import { describe, expect, vi } from 'vitest';
import { demoBuild } from '../../test/support/demo-build.ts';
import type { BuildEvent } from '../builds/event.ts';
import type { ComponentName, Tag } from '../plan/names.ts';
import { askedOnceContract } from './asked-once.contract.ts';
import {
  type Behavior,
  type EngineRig,
  type EngineTraits,
  forever,
  type ScriptedStep,
} from './engine-rig.ts';
import { rigTest } from './rig-test.ts';

/** What any engine must do: run by a test file of each engine. `atOnce`: tests need not wait for each other. */
export function engineContract(
  name: string,
  makeRig: () => Promise<EngineRig>,
  { timeout = 30_000, atOnce = false } = {},
): void {
  const test = rigTest(makeRig);
  describe(`${name}: an engine`, { timeout, concurrent: atOnce }, () => {
    askedOnceContract(test);

    test('runs all steps and the report, and succeeds', async ({ runToEnd }) => {
      const build = await runToEnd([
        { id: 'image/controller' },
        { id: 'bundle', needs: ['image/controller'] },
        { id: 'verify', needs: ['bundle'] },
      ]);
      expect(build).toMatchObject({ state: 'succeeded', failure: null, attempt: 1 });
      expect(build.steps.map(({ id, state }) => [id, state])).toEqual([
        ['prepare', 'succeeded'],
        ['image/controller', 'succeeded'],
        ['bundle', 'succeeded'],
        ['verify', 'succeeded'],
        ['report', 'succeeded'],
      ]);
      expect(build.bundle.digest).toMatch(/^sha256:/);
    });

    test('after a failure nothing new begins, what runs finishes, the report runs, and the rest is skipped', async ({
      rig,
      submit,
      finished,
      until,
    }) => {
      const build = demoBuild();
      await rig.script(build.lock.name, [
        { id: 'image/slow', does: 'wait', weight: 9 },
        { id: 'image/bad', does: 'fail' },
        ...(rig.traits.needs === 'any' ? [{ id: 'image/later', needs: ['image/slow'] }] : []),
        { id: 'bundle', needs: ['image/slow'] },
        { id: 'index', needs: ['image/bad'] },
      ]);
      await submit(build);
      await until(build.tag, 'step-failed', 'image/bad');
      await until(build.tag, 'step-started', 'image/slow');
      await rig.release(build.lock.name);
      const ended = await finished(build.tag);
      expect(Object.fromEntries(ended.steps.map(({ id, state }) => [id, state]))).toEqual({
        prepare: 'succeeded',
        'image/slow': 'succeeded',
        'image/bad': 'failed',
        ...(rig.traits.needs === 'any' && { 'image/later': 'skipped' }),
        bundle: 'skipped',
        index: 'skipped',
        report: 'succeeded',
      });
      expect(ended).toMatchObject({
        state: 'failed',
        failure: { reason: 'image-build-failed', owner: 'ref', step: 'image/bad' },
      });
    });

    test('a failed prepare fails the build', async ({ runToEnd }) => {
      const build = await runToEnd([], demoBuild(), 'fail');
      expect(build).toMatchObject({ state: 'failed', failure: { step: 'prepare' } });
    });

    test('the report runs after a failed prepare too', async ({ runToEnd }) => {
      const build = await runToEnd([{ id: 'bundle' }], demoBuild(), 'fail');
      expect(build.steps.map(({ id, state }) => [id, state])).toEqual([
        ['prepare', 'failed'],
        ['report', 'succeeded'],
      ]);
    });

    test.for<[Behavior, Behavior, string]>([
      ['finish', 'fail', 'succeeded'],
      ['finish', 'crash', 'succeeded'],
      ['fail', 'fail', 'failed'],
    ])(
      'a report decides nothing: bundle %s, report %s, build %s',
      async ([bundle, report, state], { runToEnd }) => {
        const build = await runToEnd([
          { id: 'bundle', does: bundle },
          { id: 'report', needs: ['bundle'], does: report },
        ]);
        expect(build.state).toBe(state);
        expect(build.failure?.step).toBe(state === 'failed' ? 'bundle' : undefined);
        expect(build.steps.find(({ id }) => id === 'report')).toMatchObject({ state: 'failed' });
      },
    );

    test('a step that ends without a word is a failure of the infrastructure', async ({
      runToEnd,
    }) => {
      const build = await runToEnd([{ id: 'bundle', does: 'crash', logs: ['about to fall'] }]);
      expect(build.failure).toMatchObject({
        reason: 'step-crashed',
        owner: 'infrastructure',
        step: 'bundle',
      });
      expect(build.failure?.about?.['last lines']).toContain('about to fall');
    });

    test('all events are told again, in the same order, without gap or repetition', async ({
      events,
      runToEnd,
    }) => {
      const build = demoBuild();
      await runToEnd(
        [{ id: 'image/controller' }, { id: 'bundle', needs: ['image/controller'] }],
        build,
      );
      const all = await events(build.tag);
      expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
      expect(await events(build.tag)).toEqual(all);
      expect(await events('nothing-000000' as Tag)).toEqual([]);
    });

    test('everyone who watches sees every event', async ({ rig, submit, events, until }) => {
      const build = demoBuild();
      await rig.script(build.lock.name, [{ id: 'image/controller', does: 'wait' }]);
      await submit(build);
      const watchers = Array.from({ length: 50 }, () => events(build.tag));
      await until(build.tag, 'step-started', 'image/controller');
      const late = events(build.tag);
      await rig.release(build.lock.name);
      const all = await events(build.tag);
      expect(all.at(-1)?.kind).toBe('succeeded');
      for (const seen of await Promise.all([...watchers, late])) expect(seen).toEqual(all);
    });

    test('a watcher that goes away is let go', async ({ rig, engine, submit, until }) => {
      const build = demoBuild();
      await rig.script(build.lock.name, [{ id: 'bundle', does: 'wait' }]);
      await submit(build);
      const gone = new AbortController();
      const watching = (async () => {
        for await (const _ of engine.events(build.tag, gone.signal));
      })();
      await until(build.tag, 'step-started', 'bundle');
      gone.abort();
      await watching;
    });

    test('cancels what waits in the queue', async ({ rig, engine, submit, skip }) => {
      if (!rig.traits.queue) skip('it has no queue');
      const [one, two, three] = [demoBuild('one'), demoBuild('two'), demoBuild('three')];
      for (const build of [one, two, three]) {
        await rig.script(build.lock.name, [{ id: 'bundle', does: 'wait' }]);
        await submit(build);
      }
      expect((await engine.get(three.tag))?.queuePosition).toBe(1);
      expect(await engine.cancel(three.tag)).toMatchObject({
        value: { state: 'cancelled', queuePosition: null },
      });
      await Promise.all([engine.cancel(one.tag), engine.cancel(two.tag)]);
      expect(await rig.starts('three', 'prepare')).toBe(0);
    });

    test.for(['prepare', 'image/controller', 'report'])(
      'cancels while %s runs, and leaves no process',
      async (step, { rig, engine, submit, events, until }) => {
        const build = demoBuild();
        const does = (id: string): Behavior => (id === step ? 'wait' : 'finish');
        const steps = [
          { id: 'image/controller', does: does('image/controller') },
          { id: 'bundle', needs: ['image/controller'] },
          { id: 'report', needs: ['bundle'], does: does('report') },
        ];
        await rig.script(build.lock.name, steps, does('prepare'));
        await submit(build);
        await until(build.tag, 'step-started', step);
        const began = performance.now();
        const cancelled = await engine.cancel(build.tag);
        expect(performance.now() - began).toBeLessThan(rig.traits.cancelMilliseconds);
        expect(cancelled).toMatchObject({ ok: true, value: { state: 'cancelled' } });
        if (rig.traits.queue) expect(await rig.processes()).toBe(0);
        // A cluster ends pods in its own time, and may still keep the record.
        else
          await vi.waitFor(async () => expect(await rig.processes()).toBe(0), {
            timeout: 60_000,
            interval: 200,
          });
        const build2 = await engine.get(build.tag);
        expect(build2?.steps.some(({ state }) => state === 'running' || state === 'waiting')).toBe(
          false,
        );
        const kinds = (await events(build.tag)).map(({ kind }) => kind);
        expect(kinds).toContain('cancel-requested');
        expect(kinds.at(-1)).toBe('cancelled');
      },
    );

    test('refuses to cancel what is over or not there', async ({ engine, runToEnd }) => {
      const build = demoBuild();
      await runToEnd([], build);
      expect(await engine.cancel(build.tag)).toMatchObject({
        failures: [{ reason: 'already-finished' }],
      });
      expect(await engine.cancel('nothing-000000' as Tag)).toMatchObject({
        failures: [{ reason: 'build-not-found' }],
      });
    });

    test('lists builds newest first, in pages, by state, name, component and requester', async ({
      rig,
      engine,
      submit,
      finished,
    }) => {
      const requesters = {
        one: 'ada',
        two: 'ada',
        three: 'grace@example.com',
        four: 'ada',
        five: 'eve',
      };
      const names = Object.keys(requesters);
      for (const [each, requester] of Object.entries(requesters)) {
        await rig.script(each, [], each === 'two' ? 'fail' : 'finish');
        await submit({ ...demoBuild(each), requester });
      }
      for (const each of names) await finished(demoBuild(each).tag);
      const pages: string[][] = [];
      let after: string | undefined;
      do {
        const page = await engine.list({ limit: 2, ...(after !== undefined && { after }) });
        pages.push(page.builds.map((build) => build.name));
        after = page.next ?? undefined;
      } while (after !== undefined);
      expect(pages).toEqual([['five', 'four'], ['three', 'two'], ['one']]);
      const found = async (query: object) =>
        (await engine.list({ limit: 100, ...query })).builds.map((build) => build.name);
      expect(await found({ state: 'failed' })).toEqual(['two']);
      expect(await found({ name: 'three' })).toEqual(['three']);
      expect(await found({ requester: 'grace@example.com' })).toEqual(['three']);
      expect(await found({ requester: 'ada' })).toEqual(['four', 'two', 'one']);
      expect(await found({ component: 'tektoncd/pipeline' as ComponentName })).toHaveLength(5);
      expect(await found({ component: 'tektoncd/triggers' as ComponentName })).toEqual([]);
    });

    test('follows the log of a running step to its end', async ({ rig, engine, submit, until }) => {
      const build = demoBuild();
      await rig.script(build.lock.name, [
        { id: 'image/controller', does: 'wait', logs: ['first', 'second'] },
      ]);
      await submit(build);
      await until(build.tag, 'step-started', 'image/controller');
      const log = await engine.log(build.tag, 'image/controller', true, forever);
      if (log === undefined) throw new Error('no log');
      let text = '';
      for await (const piece of log) {
        text += piece;
        if (text.includes('first')) await rig.release(build.lock.name);
      }
      expect(text).toBe('first\nsecond\nreleased\n');
      const whole = await engine.log(build.tag, 'image/controller', false, forever);
      let again = '';
      for await (const piece of whole ?? []) again += piece;
      expect(again).toBe(text);
    });

    test('has no log of a step or build that is not there', async ({ engine, runToEnd }) => {
      const build = demoBuild();
      await runToEnd([{ id: 'bundle' }], build);
      expect(await engine.log(build.tag, 'index', false, forever)).toBeUndefined();
      expect(await engine.log('nothing-000000' as Tag, 'bundle', false, forever)).toBeUndefined();
    });

    test('never starts a step before what it waits for, nor twice', async ({
      rig,
      events,
      runToEnd,
    }) => {
      let count = 0;
      await fc.assert(
        fc.asyncProperty(anyPlan(rig.traits.needs), async (steps) => {
          count += 1;
          const build = demoBuild(`dag-${count}`);
          const ended = await runToEnd(steps, build);
          expect(ended.state).toBe('succeeded');
          expectOrder(steps, await events(build.tag), rig.traits.needs);
        }),
        // Where a plan takes long, a smaller one that fails too takes longer to find than it is worth.
        { numRuns: rig.traits.plans, endOnFailure: rig.traits.plans < 10 },
      );
    });
  });
}

/** Plans of up to seven steps in which each waits for any of those before it (in its group), in up to three groups. */
function anyPlan(needs: EngineTraits['needs']): fc.Arbitrary<readonly ScriptedStep[]> {
  const drawing = fc.record({ needs: fc.nat(127), group: fc.nat(2), weight: fc.nat(9) });
  return fc.array(drawing, { minLength: 1, maxLength: 7 }).map((drawn) =>
    drawn.map((one, index): ScriptedStep => {
      const earlier = drawn.flatMap(({ group }, other) => {
        const possible = needs === 'any' || group === one.group;
        return other < index && possible && one.needs & (1 << other) ? [`image/${other}`] : [];
      });
      const { group, weight } = one;
      return { id: `image/${index}`, needs: earlier, group: `group-${group}`, weight };
    }),
  );
}

/** In a pod, what a step made is there for the next one before it is pushed, which is when it is finished: for all others, it is finished first. */
function expectOrder(
  steps: readonly ScriptedStep[],
  events: readonly BuildEvent[],
  among: EngineTraits['needs'],
): void {
  const place = (kind: BuildEvent['kind'], step: string) => {
    const places = events.flatMap((event, index) =>
      event.kind === kind && 'step' in event && event.step === step ? [index] : [],
    );
    expect(places).toHaveLength(1);
    return places[0] as number;
  };
  for (const { id, needs } of steps) {
    expect(place('step-started', id)).toBeGreaterThan(place('step-finished', 'prepare'));
    for (const need of needs ?? []) {
      const before = among === 'any' ? 'step-finished' : 'step-started';
      expect(place('step-started', id)).toBeGreaterThan(place(before, need));
      expect(place('step-finished', id)).toBeGreaterThan(place('step-finished', need));
    }
  }
  expect(place('step-started', 'report')).toBeGreaterThan(
    Math.max(...steps.map(({ id }) => place('step-finished', id))),
  );
}
