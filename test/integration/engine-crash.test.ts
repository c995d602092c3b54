import { chown, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startProcess } from '../../src/adapters/command.ts';
import type { BuildEvent } from '../../src/builds/event.ts';
import { demoBuild } from '../support/demo-build.ts';
import { openLocalRig } from '../support/scripted-engine.ts';

const program = fileURLToPath(new URL('../support/engine-process.ts', import.meta.url));
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-crash-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** An ordinary user with ids of its own in /etc/subuid and /etc/subgid; undefined where there is none. */
async function ordinaryUser(): Promise<number | undefined> {
  const entries = await readFile('/etc/subuid', 'utf8').catch(() => '');
  const users = await readFile('/etc/passwd', 'utf8');
  for (const name of entries.split('\n').map((line) => line.split(':')[0])) {
    const line = users.split('\n').find((user) => user.startsWith(`${name}:`));
    if (line !== undefined) return Number(line.split(':')[2]);
  }
  return undefined;
}

/** Starts the service, waits for its step to run, and kills it as the kernel does when memory is short. */
async function killInTheMiddle(as: readonly string[]): Promise<void> {
  const [command = '', ...args] = [...as, process.execPath, program, folder];
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
  await killInTheMiddle([]);
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

test('an ordinary user who is killed in the middle leaves no process either', async ({ skip }) => {
  const uid = await ordinaryUser();
  if (process.getuid?.() !== 0 || uid === undefined) skip('needs root and an entry in /etc/subuid');
  await chown(folder, uid as number, uid as number);
  await killInTheMiddle(['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups']);
  const rig = await openLocalRig(folder, { work: 'none' });
  await expectNothingLeft(rig.processes);
  await rig.close();
});
