import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { demoBuild } from '../../../test/support/demo-build.ts';
import { stepKinds } from '../../../test/support/mid-step.ts';
import { type LocalRig, makeLocalRig } from '../../../test/support/scripted-engine.ts';
import { makeControlGroups, removeControlGroups } from '../../adapters/processes/control-groups.ts';
import { openSqliteStore } from '../../adapters/storage/sqlite-store.ts';
import { noSpace } from '../../builds/disk-full.ts';
import { FailureError } from '../../builds/failure.ts';
import { actionsOn, type Behavior, type ScriptedStep } from '../engine-rig.ts';
import type { BuildStore } from './store.ts';

/** One step of each kind, one after the other. */
const ids = stepKinds.map((kind) =>
  kind === 'payload' || kind === 'image' ? `${kind}/one` : kind,
);
const [, ...afterPrepare] = ids;

describe('at every kind of step the local engine', { timeout: 60_000 }, () => {
  let rig: LocalRig;
  beforeEach(async () => {
    rig = await makeLocalRig({ report: () => {} });
  });
  afterEach(() => rig.close());
  const { events, finished, submit } = actionsOn(() => rig);

  async function script(name: string, does: (id: string) => Behavior): Promise<void> {
    const steps = afterPrepare.map(
      (id, index): ScriptedStep => ({
        ...{ id, does: does(id), needs: afterPrepare.slice(Math.max(0, index - 1), index) },
      }),
    );
    await rig.script(name, steps, does('prepare'));
  }

  const begun = (name: string, step: string, times = 1) =>
    vi.waitFor(async () => expect(await rig.starts(name, step)).toBe(times), 10_000);

  test('begins a step once more whose process was killed, says so, and completes the build', async () => {
    const build = demoBuild();
    await script(build.lock.name, () => 'hang-once');
    await submit(build);
    for (const id of ids) {
      await begun(build.lock.name, id);
      await vi.waitFor(() => rig.killStep(id), 5000);
      await begun(build.lock.name, id, 2);
    }
    expect(await finished(build.tag)).toMatchObject({ state: 'succeeded', attempt: 1 });
    const all = await events(build.tag);
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    const text = 'its process was killed: it is begun once more';
    for (const step of ids)
      expect(all).toContainEqual(expect.objectContaining({ kind: 'step-progress', step, text }));
    expect(await rig.processes()).toBe(0);
  });

  test('gives up a step that is killed twice, and says what may have done it', async () => {
    const build = demoBuild();
    await script(build.lock.name, (id) => (id === 'bundle' ? 'hang' : 'finish'));
    await submit(build);
    for (const times of [1, 2]) {
      await begun(build.lock.name, 'bundle', times);
      await vi.waitFor(() => rig.killStep('bundle'), 5000);
    }
    expect((await finished(build.tag)).failure).toMatchObject({
      ...{ reason: 'step-crashed', owner: 'infrastructure', step: 'bundle' },
      detail: expect.stringContaining('by signal SIGKILL before it had a result, twice'),
      hint: expect.stringContaining('memory'),
    });
  });

  test('begins a step once more that the kernel ended for lack of memory, and gives it up at the second time', async (context) => {
    const name = `tributary-${process.pid}-out-of-memory`;
    const group = await makeControlGroups(name, { memory: 2 ** 25, processes: 1000 });
    onTestFinished(() => removeControlGroups(name, group.folders));
    if (!group.holds.has('memory')) context.skip('no control group that holds memory');
    const build = demoBuild();
    await script(build.lock.name, () => 'finish');
    const greedy = `${group.join.map((file) => `echo 0 >${file}`).join('\n')}
      exec perl -e 'push @all, q(x) x 1e6 while 1'\n`;
    const folder = join(rig.folder, 'scripts', build.lock.name);
    const once = `[ "$(cat '${folder}/image~one.starts')" = xx ] || {\n${greedy}}\n`;
    const finish = await readFile(join(folder, 'image~one.sh'), 'utf8');
    await writeFile(join(folder, 'image~one.sh'), `${once}${finish}`);
    await writeFile(join(folder, 'bundle.sh'), greedy);
    await submit(build);
    const { failure, steps } = await finished(build.tag);
    expect(await group.met()).toBe('memory');
    expect(failure).toMatchObject({
      ...{ reason: 'step-crashed', owner: 'infrastructure', step: 'bundle' },
      detail: expect.stringContaining(
        'twice: somebody killed it, or the kernel for lack of memory',
      ),
      hint: expect.stringContaining('memory'),
    });
    expect(steps.find(({ id }) => id === 'image/one')?.state).toBe('succeeded');
    expect(await rig.starts(build.lock.name, 'image/one')).toBe(2);
    expect(await rig.starts(build.lock.name, 'bundle')).toBe(2);
    expect(await rig.processes()).toBe(0);
  });

  test('cancels, refuses to run again what runs, and leaves others alone', async () => {
    const other = demoBuild('other');
    await rig.script('other', [{ id: 'bundle', does: 'wait' }]);
    await submit(other);
    await begun('other', 'bundle');
    const others = await rig.processes();
    for (const id of ids) {
      const build = demoBuild(`cancelled-at-${id.replace('/', '-')}`);
      const { name } = build.lock;
      await script(name, (step) => (step === id ? 'hang-once' : 'finish'));
      await submit(build);
      await begun(name, id);
      expect(await rig.engine.rerun(build.tag, { rebuild: false })).toMatchObject({
        failures: [{ reason: 'still-running', hint: expect.stringContaining('tributary cancel') }],
      });
      expect(await rig.engine.submit(build)).toMatchObject({ kind: 'known' });
      const cancelled = await rig.engine.cancel(build.tag);
      expect(cancelled).toMatchObject({ ok: true, value: { state: 'cancelled', failure: null } });
      expect(await rig.processes()).toBe(others);
    }
    const again = await rig.engine.submit(demoBuild('cancelled-at-report'));
    expect(again).toMatchObject({ kind: 'restarted', build: { attempt: 2 } });
    expect((await finished(demoBuild('cancelled-at-report').tag)).state).toBe('succeeded');
    await rig.release('other');
    expect(await finished(other.tag)).toMatchObject({ state: 'succeeded', attempt: 1 });
    expect(await rig.processes()).toBe(0);
  });

  test('goes on with a build by itself when the full disk under its store has space again', async () => {
    let full = false;
    const store = openSqliteStore(join(rig.state, 'tributary.sqlite'));
    const small: BuildStore = {
      ...store,
      append: (...args) => {
        if (full) throw new FailureError(noSpace(rig.state, 'database or disk is full'));
        store.append(...args);
      },
    };
    const told: string[] = [];
    await rig.engine.close();
    const next = await rig.another({ store: small, report: (text) => told.push(text) });
    const build = demoBuild();
    await rig.script(build.lock.name, [{ id: 'image/one', does: 'wait' }, { id: 'bundle' }]);
    await next.engine.submit(build);
    await begun(build.lock.name, 'image/one');
    full = true;
    await rig.release(build.lock.name);
    await vi.waitFor(() => expect(told).toEqual([`build ${build.tag} was interrupted`]), 5000);
    await expect(next.engine.submit(demoBuild('other'))).rejects.toThrow('no space left');
    expect((await next.engine.get(build.tag))?.state).toBe('running');
    full = false;
    const ended = vi.fn(async () =>
      expect((await next.engine.get(build.tag))?.state).toBe('succeeded'),
    );
    await vi.waitFor(ended, 10_000);
    expect(await next.engine.get(build.tag)).toMatchObject({ attempt: 1 });
    await next.close();
    store.close();
  });

  test.for([
    ['was made by another version', { toolSet: async () => 'a newer version' }, false],
    ['is gone', {}, true],
  ] as const)(
    'plans a build anew, as a further attempt, of which the plan %s',
    async ([, options, gone]) => {
      const build = demoBuild();
      await script(build.lock.name, (id) => (id === 'bundle' ? 'hang-once' : 'finish'));
      await submit(build);
      await begun(build.lock.name, 'bundle');
      await rig.engine.close();
      if (gone) await rm(join(rig.state, 'runs'), { recursive: true });
      const next = await rig.another(options);
      const all = [];
      for await (const event of next.engine.events(build.tag, AbortSignal.timeout(9000)))
        all.push(event);
      expect(all.at(-1)).toMatchObject({ kind: 'succeeded', attempt: 2 });
      expect(await rig.starts(build.lock.name, 'prepare')).toBe(2);
      await next.close();
    },
  );
});
