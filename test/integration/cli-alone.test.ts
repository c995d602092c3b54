import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { digestIn } from '../support/images.ts';
import { leftoversAfter } from '../support/leftovers.ts';
import { type ServiceRig, serviceRig } from '../support/service.ts';

/** The CLI by itself: no service, and a state folder that does not exist yet. */

let rig: ServiceRig;
beforeAll(() => {
  rig = serviceRig(inject('demo'), { state: './new/state' });
});
afterAll(() => rig[Symbol.asyncDispose]());

test('plan says what would be built, and writes nothing to the registry', async () => {
  const { exitCode, stdout, stderr } = await rig.cli('plan', 'tektoncd/pipeline#4638', '--json');
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  const plan = JSON.parse(stdout);
  expect(plan.steps.map(({ id }: { id: string }) => id)).toContain('verify');
  expect(plan.patches).not.toEqual([]);
  expect(digestIn(`${rig.remote}/tributary:${plan.tag}-bases`)).toBeUndefined();
  expect(digestIn(`${rig.remote}/tributary:${plan.tag}-plan`)).toBeUndefined();
  expect(readdirSync(join(rig.state, 'new', 'state', 'tmp'))).toEqual([]);
  expect(await leftoversAfter(5, rig.state)).toEqual([]);
});
