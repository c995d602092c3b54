import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import type { Build } from '../../src/builds/build.ts';
import type { BuildEvent } from '../../src/builds/event.ts';
import { leftovers, leftoversAfter, processesOf } from '../support/leftovers.ts';
import { compiling } from '../support/mid-build.ts';
import { serviceRig } from '../support/service.ts';
import { smallImages, smallProduct, smallRequest } from '../support/small-demo.ts';

const request = { name: 'killed', components: smallRequest };
const digests = ({ images, bundle, index }: Build) => ({
  ...Object.fromEntries(images.map(({ name, digest }) => [name, digest])),
  bundle: bundle.digest,
  index: index.digest,
});

test('a service that is killed while an image is compiled and again while the bundle is made completes the build, doing nothing twice', async () => {
  await using rig = serviceRig(inject('demo'), {}, { product: smallProduct });
  const { state } = rig;
  const finished = new Map<string, string>();
  const noteFinished = (events: readonly BuildEvent[]) => {
    for (const event of events)
      if (event.kind === 'step-finished') finished.set(event.step, logOf(state, tag, event.step));
  };

  let service = await rig.start();
  const { body } = await service.post('/', request);
  const { tag } = body;
  const early = service.until(tag, ({ id }) => id.endsWith('/prepare/step-finished'));
  await compiling(state, tag, 1, smallImages);
  noteFinished(await early);
  await service.stop('SIGKILL');
  expect(await processesGone(state)).toEqual([]);

  service = await rig.start();
  const late = await service.until(
    tag,
    (event) => event.kind === 'step-started' && /^(operator-payload|bundle)/.test(event.step),
  );
  await service.stop('SIGKILL');
  noteFinished(late);
  expect(await processesGone(state)).toEqual([]);
  expect([...finished.keys()]).toEqual(
    expect.arrayContaining(['prepare', 'image/openshift-pipelines-operator']),
  );

  service = await rig.start();
  const build = await service.ended(tag);
  expect(build.failure).toBeNull();
  expect(build).toMatchObject({ state: 'succeeded', attempt: 1 });
  for (const [step, log] of finished) expect(logOf(state, tag, step), step).toBe(log);
  expect(await leftoversAfter(5, state, service.pid)).toEqual([]);

  // The same again, undisturbed and from nothing.
  const { body: again } = await service.post('/', { ...request, rebuild: true });
  expect(again.tag).toBe(tag);
  const undisturbed = await service.ended(tag);
  expect(undisturbed).toMatchObject({ state: 'succeeded' });
  expect(undisturbed.images.some(({ reused }) => reused)).toBe(false);
  expect(digests(undisturbed)).toEqual(digests(build));
  await service.stop();
  expect(leftovers(state)).toEqual([]);
});

async function processesGone(state: string): Promise<string[]> {
  const left = () => processesOf(state).map(({ text }) => text);
  await expect.poll(left, { timeout: 3000 }).toEqual([]);
  return left();
}

/** Text and time of a step's log: both stay where the step is not run again. */
function logOf(state: string, tag: string, step: string): string {
  const file = join(state, 'logs', tag, '1', `${step.replaceAll('/', '~')}.log`);
  return `${statSync(file).mtimeMs} ${readFileSync(file, 'utf8')}`;
}
