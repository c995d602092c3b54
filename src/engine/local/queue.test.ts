import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { demoBuild } from '../../../test/support/demo-build.ts';
import { makeLocalRig } from '../../../test/support/scripted-engine.ts';
import { countSteps } from '../../../test/support/step-processes.ts';
import { forever } from '../engine-rig.ts';

test('ten builds at once run two at a time, in the order in which they were asked, with few processes', async () => {
  const rig = await makeLocalRig({ limits: { builds: 2, steps: 2, keepDays: 14 } });
  onTestFinished(() => rig.close());
  const builds = Array.from({ length: 10 }, (_, number) => demoBuild(`queue-${number}`));
  // The first two are held until all have been asked for.
  for (const [number, build] of builds.entries()) {
    await rig.script(build.lock.name, [
      { id: 'image/controller', does: number < 2 ? 'wait' : 'finish' },
      { id: 'image/operator' },
      { id: 'bundle', needs: ['image/controller', 'image/operator'] },
    ]);
  }
  const files = readdirSync('/proc/self/fd').length;
  for (const build of builds) await rig.engine.submit(build);
  const positions = async () => {
    const found = await Promise.all(builds.map(({ tag }) => rig.engine.get(tag)));
    return found.map((build) => build?.queuePosition);
  };
  expect(await positions()).toEqual([null, null, 1, 2, 3, 4, 5, 6, 7, 8]);
  expect(await rig.engine.countOpen()).toEqual({ queued: 8, running: 2 });

  let most = 0;
  let over = false;
  const count = () => countSteps(rig.folder, /^sh \S*scripted-step\.sh \S+ --/);
  const watching = (async () => {
    for (; !over; await sleep(50)) most = Math.max(most, count());
  })();
  await expect.poll(count).toBe(2);
  await rig.release('queue-1');
  for await (const event of rig.engine.events((builds[2] as (typeof builds)[0]).tag, forever))
    if (event.kind === 'started') break;
  // Places move up.
  const moved = (await positions()).filter((position) => typeof position === 'number');
  expect(moved).toEqual(moved.map((_, index) => index + 1));
  await rig.release('queue-0');

  const told = [];
  for (const { tag } of builds)
    for await (const event of rig.engine.events(tag, forever)) told.push({ tag, ...event });
  over = true;
  await watching;
  expect(told.filter(({ kind }) => kind === 'succeeded')).toHaveLength(10);
  const begun = told.filter(({ kind }) => kind === 'started');
  expect(begun.map(({ tag }) => tag)).toEqual(builds.map(({ tag }) => tag));
  expect(begun.map(({ at }) => at)).toEqual(begun.map(({ at }) => at).sort());
  expect(most).toBeLessThanOrEqual(2);
  await expect.poll(() => rig.processes()).toBe(0);
  await expect.poll(() => readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(files + 2);
});
