import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { askBySchema } from '../support/schemathesis.ts';
import { type RunningService, type ServiceRig, serviceRig } from '../support/service.ts';
import { smallProduct } from '../support/small-demo.ts';

let rig: ServiceRig;
let service: RunningService;

beforeAll(async () => {
  rig = serviceRig(inject('demo'), { limits: { builds: 1 } }, { product: smallProduct });
  service = await rig.start();
});
afterAll(() => rig[Symbol.asyncDispose]());

test('whatever its description allows, and much that it does not, is answered as described, also the thousandth time', async () => {
  const { exitCode, report } = await askBySchema(service.url, 300, rig.state);
  expect(exitCode, report).toBe(0);
  expect(report).toMatch(/\d{3,} generated, \d+ passed/);
});
