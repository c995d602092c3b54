import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { failureOf } from '../../test/support/failure-of.ts';
import { MemoryRegistry } from '../../test/support/memory-registry.ts';
import type { Plan } from '../plan/plan.ts';
import { readTaskPlan, writeTaskPlan } from './task-plan.ts';

test('the tasks of a run read what the first one wrote, by digest', async () => {
  const registry = new MemoryRegistry();
  const plan = { lock: { remote: { push: 'r.example.com/team' } }, steps: [] } as unknown as Plan;
  const written = { plan, held: ['image/a'], units: { '000': ['image/b'] } };
  const reference = await writeTaskPlan(registry, tmpdir(), 'build-operator-bundle-1', written);
  expect(reference).toMatch(/^r\.example\.com\/team\/tributary@sha256:/);
  expect(await readTaskPlan(registry, reference)).toEqual(written);
  registry.manifests.clear();
  expect(await failureOf(readTaskPlan(registry, reference))).toMatchObject({
    reason: 'registry-unavailable',
  });
});
