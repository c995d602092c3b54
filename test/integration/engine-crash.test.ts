import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startProcess } from '../../src/adapters/command.ts';
import type { BuildEvent } from '../../src/builds/event.ts';
import { demoBuild } from '../support/demo-build.ts';
import { ordinaryUser } from '../support/ordinary-user.ts';
import { openLocalRig } from '../support/scripted-engine.ts';
import { ourselves, type Person } from '../support/service.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-crash-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Starts the service, waits for its step to run, and kills it as the kernel does when memory is short. */
async function killInTheMiddle(as: Person): Promise<void> {
  const program = join(as.checkout, 'test/support/engine-process.ts');
  const [command = '', ...args] = as.command([program, folder]);
  const service = await startProcess(command, args, { cwd: '/' });
  let errors = '';
  service.stderr?.on('data', (piece) => {
    errors += piece;
  });
  await new Promise<void>((resolve, reject) => {
    service.stdout?.once('data', () => resolve());
    void service.exited.then(() => reject(new Error(errors)));
  });
  process.kill(service.pid, 'SIGKILL');
  await service.exited;
}

async function expectNothingLeft(processes: () => Promise<number>): Promise<void> {
  for (let patience = 50; patience > 0 && (await processes()) > 0; patience -= 1) await sleep(20);
  expect(await processes()).toBe(0);
}

test('a service that is killed in the middle leaves no process, and completes the build when it is started again', async () => {
  await killInTheMiddle(ourselves);
  const build = demoBuild();
  const rig = await openLocalRig(folder, { work: 'none' });
  await expectNothingLeft(rig.processes);
  expect((await rig.engine.get(build.tag))?.state).toBe('running');
  const next = await rig.another({ work: 'all' });
  await rig.release(build.lock.name);
  const events: BuildEvent[] = [];
  for await (const event of next.engine.events(
    build.tag,
    undefined,
    new AbortController().signal,
  )) {
    events.push(event);
  }
  expect(events.at(-1)).toMatchObject({ kind: 'succeeded', attempt: 1 });
  expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
  const starts = ['prepare', 'image/controller', 'bundle'].map((step) =>
    rig.starts(build.lock.name, step),
  );
  expect(await Promise.all(starts)).toEqual([1, 1, 2]);
  await next.close();
  await rig.close();
});

test('an ordinary user who is killed in the middle leaves no process either', async () => {
  await using person = await ordinaryUser();
  person.own(folder);
  await killInTheMiddle(person);
  const rig = await openLocalRig(folder, { work: 'none' });
  await expectNothingLeft(rig.processes);
  await rig.close();
});
