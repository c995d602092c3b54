import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { leftoversAfter } from '../support/leftovers.ts';
import { midStep, stepKinds } from '../support/mid-step.ts';
import { type RunningService, type ServiceRig, serviceRig } from '../support/service.ts';
import { operatorProduct } from '../support/small-demo.ts';

let rig: ServiceRig;
let service: RunningService;

beforeAll(async () => {
  rig = serviceRig(inject('demo'), {}, { product: operatorProduct });
  service = await rig.start();
});
afterAll(() => rig[Symbol.asyncDispose]());

test('cancelled in the middle of each kind of step, a build is over at once, leaves nothing, and goes on when it is asked for again', async () => {
  const request = {
    name: 'cancelled',
    components: { 'tektoncd/operator': 'tektoncd/operator#1400' },
  };
  const cancelled = new Set<string>();
  for (;;) {
    const { tag, attempt } = (await service.post('/', request)).body;
    expect(attempt).toBe(cancelled.size + 1);
    const following = service.ended(tag);
    const step = await midStep(service.pid, ({ kind }) => !cancelled.has(kind), following);
    if (step === undefined) break;
    // It must not get to its end before it is cancelled.
    process.kill(step.pid, 'SIGSTOP');
    const started = Date.now();
    const { status, body } = await service.post(`/api/builds/${tag}/cancel`);
    expect(Date.now() - started, step.step).toBeLessThan(5000);
    expect({ status, state: body.state, failure: body.failure }, step.step).toEqual({
      ...{ status: 200, state: 'cancelled', failure: null },
    });
    // The process for the next build may just be starting.
    expect(await leftoversAfter(3, rig.state, service.pid), step.step).toEqual([]);
    cancelled.add(step.kind);
    await following;
  }
  expect([...cancelled].toSorted()).toEqual([...stepKinds].toSorted());
  const { builds } = (await service.get('/api/builds')).body;
  expect(builds).toMatchObject([{ state: 'succeeded', attempt: stepKinds.length + 1 }]);
  expect(await leftoversAfter(3, rig.state, service.pid)).toEqual([]);
});
