import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Build, NewBuild } from '../builds/build.ts';
import type { BuildEvent } from '../builds/event.ts';
import type { ComponentName, Digest, Tag } from '../plan/names.ts';
import type { Engine } from './engine.ts';
import { demoBuild } from '../../test/support/demo-build.ts';

/** What a scripted step does. `wait` runs until {@link EngineRig.release} or until it is ended. */
export type Behavior = 'finish' | 'reuse' | 'fail' | 'fail-infrastructure' | 'crash' | 'wait';

export interface ScriptedStep {
  readonly id: string;
  readonly needs?: readonly string[];
  readonly group?: string;
  readonly weight?: number;
  readonly does?: Behavior;
  /** Lines that it logs. */
  readonly logs?: readonly string[];
}

/** An engine whose steps do as they are told. */
export interface EngineRig {
  readonly engine: Engine;
  /** Steps of builds of this name, from their next attempt on; the report comes by itself. */
  script(name: string, steps: readonly ScriptedStep[], prepare?: Behavior): Promise<void>;
  /** Lets waiting steps of builds of this name finish. */
  release(name: string): Promise<void>;
  /** How often a step of builds of this name was started. */
  starts(name: string, step: string): Promise<number>;
  /** How many processes of steps are there. */
  processes(): Promise<number>;
  close(): Promise<void>;
}

const forever = new AbortController().signal;

/** What any engine must do: run by a test file of each engine. */
export function engineContract(name: string, makeRig: () => Promise<EngineRig>): void {
  describe(`${name}: an engine`, { timeout: 30_000 }, () => {
    let rig: EngineRig;
    let engine: Engine;
    beforeEach(async () => {
      rig = await makeRig();
      engine = rig.engine;
    });
    afterEach(() => rig.close());

    const submit = async (build: NewBuild): Promise<Build> => {
      const submission = await engine.submit(build);
      if (submission.kind === 'taken') throw new Error(`${build.tag} is taken`);
      return submission.build;
    };
    const events = async (tag: Tag, after?: string): Promise<BuildEvent[]> => {
      const all: BuildEvent[] = [];
      for await (const event of engine.events(tag, after, forever)) all.push(event);
      return all;
    };
    const finished = async (tag: Tag): Promise<Build> => {
      await events(tag);
      const build = await engine.get(tag);
      if (build === undefined) throw new Error(`no ${tag}`);
      return build;
    };
    const until = async (tag: Tag, kind: BuildEvent['kind'], step?: string): Promise<void> => {
      for await (const event of engine.events(tag, undefined, forever)) {
        if (event.kind === kind && (step === undefined || ('step' in event && event.step === step)))
          return;
      }
      throw new Error(`${tag} ended without ${kind}`);
    };
    const runToEnd = async (
      steps: readonly ScriptedStep[],
      build = demoBuild(),
      prepare?: Behavior,
    ) => {
      await rig.script(build.lock.name, steps, prepare);
      await submit(build);
      return finished(build.tag);
    };

    test('runs all steps and the report, and succeeds', async () => {
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

    test('fifty submissions at once are one build, and one of them created it', async () => {
      const build = demoBuild();
      await rig.script(build.lock.name, [{ id: 'image/controller' }]);
      const answers = await Promise.all(Array.from({ length: 50 }, () => engine.submit(build)));
      expect(answers.filter(({ kind }) => kind === 'created')).toHaveLength(1);
      expect(answers.filter(({ kind }) => kind === 'known')).toHaveLength(49);
      await finished(build.tag);
      expect(await rig.starts(build.lock.name, 'image/controller')).toBe(1);
    });

    test('says that a tag is taken by another lock', async () => {
      const build = demoBuild();
      await runToEnd([], build);
      const other = { ...build, lockDigest: `sha256:${'1'.repeat(64)}` as Digest };
      expect(await engine.submit(other)).toEqual({ kind: 'taken' });
    });

    test("says that a run's name is taken by another tag", async () => {
      const build = demoBuild();
      await runToEnd([], build);
      const other = { ...demoBuild('other'), pipelinerun: build.pipelinerun };
      expect(await engine.submit(other)).toEqual({ kind: 'taken' });
      expect(await engine.get(other.tag)).toBeUndefined();
    });

    test('asked again while it is queued or running, it is the same build', async () => {
      const build = demoBuild();
      await rig.script(build.lock.name, [{ id: 'image/controller', does: 'wait' }]);
      await submit(build);
      expect(await engine.submit(build)).toMatchObject({ kind: 'known', build: { attempt: 1 } });
      await until(build.tag, 'step-started', 'image/controller');
      const again = await engine.submit(build);
      expect(again).toMatchObject({ kind: 'known', build: { state: 'running', attempt: 1 } });
      await rig.release(build.lock.name);
      await finished(build.tag);
    });

    test.for([
      { steps: [{ id: 'bundle' }], kind: 'known', attempt: 1, was: 'succeeded' },
      {
        steps: [{ id: 'bundle', does: 'fail' }],
        kind: 'known',
        attempt: 1,
        was: 'failed by the code',
      },
      {
        steps: [{ id: 'bundle', does: 'fail-infrastructure' }],
        kind: 'restarted',
        attempt: 2,
        was: 'failed by the infrastructure',
      },
      { steps: [{ id: 'bundle', does: 'crash' }], kind: 'restarted', attempt: 2, was: 'crashed' },
    ] as const)('asked again when it $was, it is $kind', async ({ steps, kind, attempt }) => {
      const build = demoBuild();
      await runToEnd(steps, build);
      await rig.script(build.lock.name, [{ id: 'bundle' }]);
      const answer = await engine.submit(build);
      expect(answer).toMatchObject({ kind, build: { attempt } });
      if (kind === 'restarted') {
        expect(answer).toMatchObject({ build: { pipelinerun: `${build.pipelinerun}-r2` } });
        expect(await finished(build.tag)).toMatchObject({ state: 'succeeded', attempt: 2 });
      }
    });

    test('asked again when it was cancelled, it begins attempt 2', async () => {
      const build = demoBuild();
      await rig.script(build.lock.name, [{ id: 'bundle', does: 'wait' }]);
      await submit(build);
      await until(build.tag, 'step-started', 'bundle');
      await engine.cancel(build.tag);
      await rig.script(build.lock.name, [{ id: 'bundle' }]);
      expect(await engine.submit(build)).toMatchObject({
        kind: 'restarted',
        build: { attempt: 2 },
      });
      expect(await finished(build.tag)).toMatchObject({
        state: 'succeeded',
        pipelinerun: `${build.pipelinerun}-r2`,
      });
    });

    test('asked for a rebuild when it succeeded, it begins attempt 2', async () => {
      const build = demoBuild();
      await runToEnd([{ id: 'bundle' }], build);
      expect(await engine.submit({ ...build, rebuild: true })).toMatchObject({
        kind: 'restarted',
        build: { attempt: 2 },
      });
      await finished(build.tag);
    });

    test('runs again what is finished, and refuses what is not', async () => {
      const build = demoBuild();
      await rig.script(build.lock.name, [{ id: 'bundle', does: 'wait' }]);
      await submit(build);
      await until(build.tag, 'step-started', 'bundle');
      expect(await engine.rerun(build.tag, { rebuild: false })).toMatchObject({
        failures: [{ reason: 'still-running' }],
      });
      await rig.release(build.lock.name);
      await finished(build.tag);
      expect(await engine.rerun(build.tag, { rebuild: false })).toMatchObject({
        value: { attempt: 2, state: expect.stringMatching(/queued|running/) },
      });
      expect(await finished(build.tag)).toMatchObject({ state: 'succeeded', attempt: 2 });
      expect(await engine.rerun('nothing-000000' as Tag, { rebuild: false })).toMatchObject({
        failures: [{ reason: 'build-not-found' }],
      });
    });

    test('after a failure nothing new begins, what runs finishes, the report runs, and the rest is skipped', async () => {
      const build = demoBuild();
      await rig.script(build.lock.name, [
        { id: 'image/slow', does: 'wait', weight: 9 },
        { id: 'image/bad', does: 'fail' },
        { id: 'image/later', needs: ['image/slow'] },
        { id: 'bundle', needs: ['image/bad'] },
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
        'image/later': 'skipped',
        bundle: 'skipped',
        report: 'succeeded',
      });
      expect(ended).toMatchObject({
        state: 'failed',
        failure: { reason: 'image-build-failed', owner: 'ref', step: 'image/bad' },
      });
    });

    test('a failed prepare fails the build', async () => {
      const build = await runToEnd([], demoBuild(), 'fail');
      expect(build).toMatchObject({ state: 'failed', failure: { step: 'prepare' } });
    });

    test('a step that ends without a word is a failure of the infrastructure', async () => {
      const build = await runToEnd([{ id: 'bundle', does: 'crash', logs: ['about to fall'] }]);
      expect(build.failure).toMatchObject({
        reason: 'step-crashed',
        owner: 'infrastructure',
        step: 'bundle',
      });
      expect(build.failure?.about?.['last lines']).toContain('about to fall');
    });

    test('events begin after any id, in the same order, without gap or repetition', async () => {
      const build = demoBuild();
      await runToEnd(
        [{ id: 'image/controller' }, { id: 'bundle', needs: ['image/controller'] }],
        build,
      );
      const all = await events(build.tag);
      expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
      for (const [index, event] of all.entries()) {
        expect(await events(build.tag, event.id)).toEqual(all.slice(index + 1));
      }
      expect(await events(build.tag, 'no such id')).toEqual(all);
      expect(await events('nothing-000000' as Tag)).toEqual([]);
    });

    test('everyone who watches sees every event', async () => {
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

    test('a watcher that goes away is let go', async () => {
      const build = demoBuild();
      await rig.script(build.lock.name, [{ id: 'bundle', does: 'wait' }]);
      await submit(build);
      const gone = new AbortController();
      const watching = (async () => {
        for await (const _ of engine.events(build.tag, undefined, gone.signal));
      })();
      await until(build.tag, 'step-started', 'bundle');
      gone.abort();
      await watching;
    });

    test('cancels what waits in the queue', async () => {
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
      async (step) => {
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
        expect(performance.now() - began).toBeLessThan(2000);
        expect(cancelled).toMatchObject({ ok: true, value: { state: 'cancelled' } });
        expect(await rig.processes()).toBe(0);
        const build2 = await engine.get(build.tag);
        expect(build2?.steps.some(({ state }) => state === 'running' || state === 'waiting')).toBe(
          false,
        );
        const kinds = (await events(build.tag)).map(({ kind }) => kind);
        expect(kinds).toContain('cancel-requested');
        expect(kinds.at(-1)).toBe('cancelled');
      },
    );

    test('refuses to cancel what is over or not there', async () => {
      const build = demoBuild();
      await runToEnd([], build);
      expect(await engine.cancel(build.tag)).toMatchObject({
        failures: [{ reason: 'already-finished' }],
      });
      expect(await engine.cancel('nothing-000000' as Tag)).toMatchObject({
        failures: [{ reason: 'build-not-found' }],
      });
    });

    test('lists builds newest first, in pages, by state, name and component', async () => {
      const names = ['one', 'two', 'three', 'four', 'five'];
      for (const each of names)
        await runToEnd([], demoBuild(each), each === 'two' ? 'fail' : 'finish');
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
      expect(await found({ component: 'tektoncd/pipeline' as ComponentName })).toHaveLength(5);
      expect(await found({ component: 'tektoncd/triggers' as ComponentName })).toEqual([]);
    });

    test('follows the log of a running step to its end', async () => {
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

    test('has no log of a step or build that is not there', async () => {
      const build = demoBuild();
      await runToEnd([{ id: 'bundle' }], build);
      expect(await engine.log(build.tag, 'index', false, forever)).toBeUndefined();
      expect(await engine.log('nothing-000000' as Tag, 'bundle', false, forever)).toBeUndefined();
    });

    test('never starts a step before what it waits for, nor twice', async () => {
      let count = 0;
      await fc.assert(
        fc.asyncProperty(anyPlan, async (steps) => {
          count += 1;
          const build = demoBuild(`dag-${count}`);
          const ended = await runToEnd(steps, build);
          expect(ended.state).toBe('succeeded');
          expectOrder(steps, await events(build.tag));
        }),
        { numRuns: 8 },
      );
    });
  });
}

/** Plans of up to seven steps in which each waits for any of those before it, in up to three groups. */
const anyPlan = fc
  .array(fc.record({ needs: fc.nat(127), group: fc.nat(2), weight: fc.nat(9) }), {
    minLength: 1,
    maxLength: 7,
  })
  .map((drawn) =>
    drawn.map(({ needs, group, weight }, index): ScriptedStep => {
      const earlier = Array.from({ length: index }, (_, other) => other).filter(
        (other) => needs & (1 << other),
      );
      return {
        id: `image/${index}`,
        needs: earlier.map((other) => `image/${other}`),
        group: `group-${group}`,
        weight,
      };
    }),
  );

function expectOrder(steps: readonly ScriptedStep[], events: readonly BuildEvent[]): void {
  const place = (kind: BuildEvent['kind'], step: string) => {
    const places = events.flatMap((event, index) =>
      event.kind === kind && 'step' in event && event.step === step ? [index] : [],
    );
    expect(places).toHaveLength(1);
    return places[0] as number;
  };
  for (const { id, needs } of steps) {
    for (const need of ['prepare', ...(needs ?? [])]) {
      expect(place('step-started', id)).toBeGreaterThan(place('step-finished', need));
    }
  }
  expect(place('step-started', 'report')).toBeGreaterThan(
    Math.max(...steps.map(({ id }) => place('step-finished', id))),
  );
}
