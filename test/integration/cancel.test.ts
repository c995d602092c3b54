import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Build } from '../../src/builds/build.ts';
import { leftovers, leftoversAfter } from '../support/leftovers.ts';
import { compiling } from '../support/mid-build.ts';
import { type Json, type RunningService, type ServiceRig, serviceRig } from '../support/service.ts';
import { smallImages, smallProduct, smallRequest } from '../support/small-demo.ts';

let rig: ServiceRig;
let service: RunningService;

beforeAll(async () => {
  rig = serviceRig(inject('demo'), { limits: { builds: 1 } }, { product: smallProduct });
  service = await rig.start();
});
afterAll(() => rig[Symbol.asyncDispose]());

const ask = async (name: string): Promise<{ status: number; body: Json }> =>
  service.post('/', { name, components: smallRequest });

/** Cancels a build; it must be over, without a trace, when that is answered. */
async function expectCancelled(tag: string): Promise<void> {
  const started = Date.now();
  const { status, body } = await service.post(`/api/builds/${tag}/cancel`);
  expect(Date.now() - started).toBeLessThan(5000);
  expect(status).toBe(200);
  expect(body).toMatchObject({ state: 'cancelled', failure: null });
  // What waits for the next build may be about to start.
  expect(await leftoversAfter(3, rig.state, service.pid)).toEqual([]);
}

test('a build that is cancelled while it is prepared is over at once, and leaves nothing', async () => {
  const { body } = await ask('cancelled');
  await service.until(body.tag, (event) => event.kind === 'step-started');
  await expectCancelled(body.tag);
});

test('asked again it starts anew as attempt 2, and can be cancelled while an image is compiled', async () => {
  const { status, body } = await ask('cancelled');
  expect(status).toBe(201);
  expect(body).toMatchObject({ attempt: 2, pipelinerun: expect.stringMatching(/-r2$/) });
  await compiling(rig.state, body.tag, 2, smallImages);
  // The look sees what there is to see.
  expect(leftovers(rig.state, service.pid).length).toBeGreaterThan(3);
  await expectCancelled(body.tag);
});

test('a build that waits in the queue is cancelled at once, and the one before it goes on', async () => {
  const { body: first } = await ask('cancelled');
  const { body: waiting } = await ask('waiting');
  await compiling(rig.state, first.tag, 3, smallImages);
  expect((await service.get(`/api/builds/${waiting.tag}`)).body).toMatchObject({
    state: 'queued',
    queuePosition: 1,
  });
  const { body } = await service.post(`/api/builds/${waiting.tag}/cancel`);
  expect(body.state).toBe('cancelled');
  expect((await service.ended(first.tag)).state).toBe('succeeded');
  const again = await ask('waiting');
  expect(again.body.pipelinerun).toBe(`${waiting.pipelinerun}-r2`);
  const ended = await service.ended(waiting.tag);
  expect(ended).toMatchObject({ state: 'succeeded', attempt: 2 });
  expect(ended.images.every(({ reused }) => reused)).toBe(true);
  expect(await leftoversAfter(3, rig.state, service.pid)).toEqual([]);
});

test('Ctrl-C on a command that builds by itself cancels the build, and leaves nothing', async () => {
  await service.stop();
  const ref = smallRequest['tektoncd/triggers'];
  const command = rig.startCli('build', ref, '--name', 'alone', '--rebuild');
  const tag = await tagPrinted(command.stdout);
  await compiling(rig.state, tag, 1, smallImages);
  const started = Date.now();
  process.kill(command.pid, 'SIGINT');
  const { exitCode, stderr } = await command.ended;
  expect(stderr).toBe('');
  expect(exitCode).toBe(6);
  expect(Date.now() - started).toBeLessThan(5000);
  expect(await leftoversAfter(5, rig.state)).toEqual([]);
  const status = await rig.cli('status', tag, '--json');
  expect((JSON.parse(status.stdout) as Build).state).toBe('cancelled');
});

async function tagPrinted(stdout: () => string): Promise<string> {
  await expect.poll(stdout, { timeout: 30_000 }).toMatch(/^alone-[0-9a-f]{6} /m);
  return /^(\S+) /m.exec(stdout())?.[1] ?? '';
}
