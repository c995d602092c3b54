import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { MemoryRegistry } from '../../test/support/memory-registry.ts';
import { textFile } from '../plan/file-tree.ts';
import type { Lock } from '../plan/lock.ts';
import { outcomeReference, readOutcome, writeOutcome } from './task-outcome.ts';

const lock = { remote: { name: 'demo', push: 'r.example.com/team', pull: '' } } as Lock;

test('an outcome is found by UID of its run and task, as it was written', async () => {
  const registry = new MemoryRegistry();
  const reference = outcomeReference(
    { lock },
    '6dd4c2a1-5f2c-4f4f-9d3c-0d8f6f2f9d11',
    'images-000',
  );
  expect(reference).toBe(
    'r.example.com/team/tributary:run-6dd4c2a1-5f2c-4f4f-9d3c-0d8f6f2f9d11.images-000',
  );
  expect(await readOutcome(registry, reference)).toBeUndefined();
  const outcome = {
    messages: [{ at: '2026-09-21T14:13:20.000Z', kind: 'step-started', step: 'image/a' } as const],
    logs: new Map([['image~a.log', textFile('compiling\n')]]),
  };
  await writeOutcome(registry, tmpdir(), reference, outcome);
  expect(await readOutcome(registry, reference)).toEqual(outcome);
});
