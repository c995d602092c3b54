import { expect } from 'vitest';
import { demoBuild } from '../../test/support/demo-build.ts';
import type { Digest, Tag } from '../plan/names.ts';
import type { RigTest } from './rig-test.ts';

/** Asked once, answered truly: what any engine makes of the same request, and of a rerun. */
export function askedOnceContract(test: RigTest): void {
  test('fifty submissions at once are one build, and one of them created it', async ({
    rig,
    finished,
  }) => {
    const build = demoBuild();
    await rig.script(build.lock.name, [{ id: 'image/controller' }]);
    const answers = await Promise.all(Array.from({ length: 50 }, () => rig.engine.submit(build)));
    expect(answers.filter(({ kind }) => kind === 'created')).toHaveLength(1);
    expect(answers.filter(({ kind }) => kind === 'known')).toHaveLength(49);
    await finished(build.tag);
    expect(await rig.starts(build.lock.name, 'image/controller')).toBe(1);
  });

  test('says that a tag is taken by another lock', async ({ rig, runToEnd }) => {
    const build = demoBuild();
    await runToEnd([], build);
    const other = { ...build, lockDigest: `sha256:${'1'.repeat(64)}` as Digest };
    expect(await rig.engine.submit(other)).toEqual({ kind: 'taken' });
  });

  test("says that a run's name is taken by another tag", async ({ rig, runToEnd }) => {
    const build = demoBuild();
    await runToEnd([], build);
    const other = { ...demoBuild('other'), pipelinerun: build.pipelinerun };
    expect(await rig.engine.submit(other)).toEqual({ kind: 'taken' });
    expect(await rig.engine.get(other.tag)).toBeUndefined();
  });

  test('asked again while it is queued or running, it is the same build', async ({
    rig,
    submit,
    finished,
    until,
  }) => {
    const build = demoBuild();
    await rig.script(build.lock.name, [{ id: 'image/controller', does: 'wait' }]);
    await submit(build);
    expect(await rig.engine.submit(build)).toMatchObject({
      kind: 'known',
      build: { attempt: 1 },
    });
    await until(build.tag, 'step-started', 'image/controller');
    const again = await rig.engine.submit(build);
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
  ] as const)(
    'asked again when it $was, it is $kind',
    async ({ steps, kind, attempt }, { rig, finished, runToEnd }) => {
      const build = demoBuild();
      await runToEnd(steps, build);
      await rig.script(build.lock.name, [{ id: 'bundle' }]);
      const answer = await rig.engine.submit(build);
      expect(answer).toMatchObject({ kind, build: { attempt } });
      if (kind === 'restarted') {
        expect(answer).toMatchObject({ build: { pipelinerun: `${build.pipelinerun}-r2` } });
        expect(await finished(build.tag)).toMatchObject({ state: 'succeeded', attempt: 2 });
      }
    },
  );

  test('asked again when it was cancelled, it begins attempt 2', async ({
    rig,
    submit,
    finished,
    until,
  }) => {
    const build = demoBuild();
    await rig.script(build.lock.name, [{ id: 'bundle', does: 'wait' }]);
    await submit(build);
    await until(build.tag, 'step-started', 'bundle');
    await rig.engine.cancel(build.tag);
    await rig.script(build.lock.name, [{ id: 'bundle' }]);
    expect(await rig.engine.submit(build)).toMatchObject({
      kind: 'restarted',
      build: { attempt: 2 },
    });
    expect(await finished(build.tag)).toMatchObject({
      state: 'succeeded',
      pipelinerun: `${build.pipelinerun}-r2`,
    });
  });

  test('asked for a rebuild when it succeeded, it begins attempt 2', async ({
    rig,
    finished,
    runToEnd,
  }) => {
    const build = demoBuild();
    await runToEnd([{ id: 'bundle' }], build);
    expect(await rig.engine.submit({ ...build, rebuild: true })).toMatchObject({
      kind: 'restarted',
      build: { attempt: 2 },
    });
    await finished(build.tag);
  });

  test('runs again what is finished, and refuses what is not', async ({
    rig,
    submit,
    finished,
    until,
  }) => {
    const build = demoBuild();
    await rig.script(build.lock.name, [{ id: 'bundle', does: 'wait' }]);
    await submit(build);
    await until(build.tag, 'step-started', 'bundle');
    expect(await rig.engine.rerun(build.tag, { rebuild: false })).toMatchObject({
      failures: [{ reason: 'still-running' }],
    });
    await rig.release(build.lock.name);
    await finished(build.tag);
    expect(
      await rig.engine.rerun(build.tag, { rebuild: false, requester: 'somebody-else' }),
    ).toMatchObject({
      value: {
        attempt: 2,
        state: expect.stringMatching(/queued|running/),
        requester: 'somebody-else',
      },
    });
    expect(await finished(build.tag)).toMatchObject({ state: 'succeeded', attempt: 2 });
    expect(await rig.engine.rerun('nothing-000000' as Tag, { rebuild: false })).toMatchObject({
      failures: [{ reason: 'build-not-found' }],
    });
  });
}
