import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { demoBuild } from '../../test/support/demo-build.ts';
import { MemoryRegistry } from '../../test/support/memory-registry.ts';
import type { Reason } from '../builds/failure.ts';
import { outcomeReference, writeOutcome } from '../steps/task-outcome.ts';
import { assembleTask } from './task-assemble.ts';
import type { TaskContext } from './task-context.ts';
import { fetchTask } from './task-fetch.ts';
import { prepareTask } from './task-prepare.ts';
import { pushTask } from './task-push.ts';

const { lock } = demoBuild();
let folder: string;
let registry: MemoryRegistry;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-tries-'));
  registry = new MemoryRegistry();
});
afterEach(() => rm(folder, { recursive: true }));

/** What a further try has at hand: whatever it does beyond looking throws. */
function context(): TaskContext {
  const input = { run: 'the-uid', lock, unit: '000', pod: folder, results: join(folder, 'r') };
  const runSteps = () => Promise.reject(new Error('it runs'));
  return { input, registry, runSteps } as unknown as TaskContext;
}

function failed(task: string, reason: Reason) {
  const failures = [{ reason, detail: 'It failed.', hint: '' }] as const;
  const at = '2026-01-01T00:00:00.000Z';
  const messages = [{ at, kind: 'step-failed', step: 's', failures } as const];
  const reference = outcomeReference({ lock }, 'the-uid', task);
  return writeOutcome(registry, folder, reference, { messages, logs: new Map() });
}

test.for([
  ['prepare', 'prepare', prepareTask, 3],
  ['fetch', 'images-000', fetchTask, 0],
  ['push', 'images-000', pushTask, 3],
  ['assemble', 'assemble', assembleTask, 3],
] as const)(
  '%s does not try again what failed by the code, and tries again what may pass',
  async ([, task, program, exit]) => {
    await expect(program(context())).rejects.toThrow();
    await failed(task, 'registry-unavailable');
    await expect(program(context())).rejects.toThrow();
    await failed(task, 'merge-conflict');
    expect(await program(context())).toBe(exit);
  },
);
