import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type RunningProcess, startProcess } from '../../src/adapters/processes/command.ts';
import type { ScriptedStep } from '../../src/engine/engine-rig.ts';
import { demoBuild } from '../support/demo-build.ts';
import { stepKinds } from '../support/mid-step.ts';
import { ordinaryUser } from '../support/ordinary-user.ts';
import { type LocalRig, openLocalRig } from '../support/scripted-engine.ts';
import { ourselves, type Person } from '../support/service.ts';

const build = demoBuild();
const { name } = build.lock;

let folder: string;
let looking: LocalRig;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-crash-'));
  looking = await openLocalRig(folder, { work: 'none' });
  const [, ...after] = stepKinds;
  const steps = after.map((id, index): ScriptedStep => {
    return { id, does: 'hang-once', needs: after.slice(Math.max(0, index - 1), index) };
  });
  await looking.script(name, steps, 'hang-once');
});
afterEach(async () => {
  await looking.close();
  await rm(folder, { recursive: true, force: true });
});

/** Starts the service. */
async function start(as: Person): Promise<RunningProcess> {
  const program = join(as.checkout, 'test/support/engine-process.ts');
  const [command = '', ...args] = as.command([program, folder]);
  const service = await startProcess(command, args, { cwd: '/' });
  service.stdout?.resume();
  service.stderr?.on('data', (piece) => process.stderr.write(piece));
  return service;
}

/** Starts the service, waits for a step to run, and kills it as the kernel does when memory is short. */
async function killInTheMiddle(as: Person, step: string): Promise<void> {
  const service = await start(as);
  await vi.waitFor(async () => expect(await looking.again(name, step)).toBe(true), 20_000);
  // What the engine has not written yet did not happen.
  const state = async () =>
    (await looking.engine.get(build.tag))?.steps.find(({ id }) => id === step)?.state;
  await vi.waitFor(async () => expect(await state()).toBe('running'), 20_000);
  process.kill(service.pid, 'SIGKILL');
  await service.exited;
  await vi.waitFor(async () => expect(await looking.processes()).toBe(0), 2000);
}

test('a service that is killed in the middle of each step leaves no process, and completes the build when it is started again', async () => {
  for (const step of stepKinds) {
    await killInTheMiddle(ourselves, step);
    expect((await looking.engine.get(build.tag))?.state).toBe('running');
  }
  const last = await start(ourselves);
  expect((await last.exited).exitCode).toBe(0);
  const ended = await looking.engine.get(build.tag);
  expect(ended).toMatchObject({ state: 'succeeded', attempt: 1 });
  for (const step of stepKinds) expect(await looking.starts(name, step), step).toBe(2);
});

test('an ordinary user who is killed in the middle leaves no process either', async () => {
  await using person = await ordinaryUser();
  person.own(folder);
  await killInTheMiddle(person, 'prepare');
});
