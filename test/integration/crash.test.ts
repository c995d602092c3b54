import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, truncateSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { parse } from 'yaml';
import type { Build } from '../../src/builds/build.ts';
import type { BuildEvent } from '../../src/builds/event.ts';
import { leftoversAfter, processesOf } from '../support/leftovers.ts';
import { type MidStep, midStep, programsBelow, stepKinds } from '../support/mid-step.ts';
import { type RunningService, type ServiceRig, serviceRig } from '../support/service.ts';
import { smallProduct, smallRequest } from '../support/small-demo.ts';
import { smallDisk } from '../support/small-disk.ts';

/** A build that has a step of every kind. */
const request = {
  name: 'killed',
  components: { ...smallRequest, 'tektoncd/operator': 'tektoncd/operator#1400' },
};

let rig: ServiceRig;
let service: RunningService;
let tag: string;
let first: Build;
const product = smallProduct(inject('demo'));
beforeAll(async () => {
  rig = serviceRig(inject('demo'), {}, { product: () => product });
  service = await rig.start();
});
afterAll(() => rig[Symbol.asyncDispose]());

test('a service that is killed in the middle of each kind of step completes the build, doing nothing twice', {
  timeout: 600_000,
}, async () => {
  tag = (await service.post('/', request)).body.tag;
  const finished = new Map<string, string>();
  const killed = new Set<string>();
  for (;;) {
    const following = service.until(tag, () => false).catch(() => {});
    const step = await midStep(service.pid, ({ kind }) => !killed.has(kind), following);
    if (step === undefined) break;
    killed.add(step.kind);
    await service.stop('SIGKILL');
    await following;
    expect(await processesGone(), `after ${step.step}`).toEqual([]);
    for (const id of await finishedSteps()) if (!finished.has(id)) finished.set(id, logOf(id));
    service = await rig.start();
  }
  expect([...killed].toSorted()).toEqual([...stepKinds].toSorted());
  first = (await service.get(`/api/builds/${tag}`)).body;
  expect(first.failure).toBeNull();
  expect(first).toMatchObject({ state: 'succeeded', attempt: 1 });
  expect(first.steps.map(({ kind }) => kind)).toEqual(expect.arrayContaining([...stepKinds]));
  for (const [step, log] of finished) expect(logOf(step), step).toBe(log);
  expect(await leftoversAfter(5, rig.state, service.pid)).toEqual([]);
});

test('each kind of step whose process or whose buildah is killed is begun once more, and nothing comes out otherwise', {
  timeout: 600_000,
}, async () => {
  const { body } = await service.post('/', { ...request, rebuild: true });
  expect(body).toMatchObject({ tag, attempt: 2 });
  const following = service.ended(tag);
  const killed = new Map<string, MidStep>();
  for (;;) {
    const isNew = ({ kind }: MidStep) => !killed.has(kind);
    const step = await midStep(service.pid, isNew, following);
    if (step === undefined) break;
    if (await kill(step)) killed.set(step.kind, step);
  }
  const build = await following;
  expect([...killed.keys()].toSorted()).toEqual([...stepKinds].toSorted());
  expect(build.failure).toBeNull();
  expect(build).toMatchObject({ state: 'succeeded', attempt: 2 });
  expect(build.images.some(({ reused }) => reused)).toBe(false);
  expect(digests(build)).toEqual(digests(first));
  const events = await allEvents();
  for (const { step } of killed.values())
    expect(events).toContainEqual(
      expect.objectContaining({ step, attempt: 2, text: expect.stringContaining('once more') }),
    );
  expect(await leftoversAfter(5, rig.state, service.pid)).toEqual([]);
});

test('a history that is lost is told at the start, and made anew from the records', async () => {
  const clashing = { name: 'clashing', product: `${await spoilPatch()}#spoilt` };
  const failed = (await service.post('/', clashing)).body.tag;
  // Mirrors are caches: whoever removes them under a build does it no harm.
  await midStep(service.pid, ({ kind }) => kind === 'prepare', service.ended(failed));
  for (const cache of ['mirrors', 'git/whole'])
    await rm(join(rig.state, cache), { recursive: true, force: true, maxRetries: 5 });
  const before = [await service.ended(failed), await service.ended(tag)];
  expect(before.map(({ failure }) => failure?.reason)).toEqual(['patch-conflict', undefined]);
  await service.stop();
  const database = join(rig.state, 'tributary.sqlite');
  truncateSync(database, 5000);
  await expect(rig.start()).rejects.toThrow(/is damaged[\s\S]*tributary recover/);
  expect((await rig.cli('doctor', '--json')).stdout).toContain('is damaged');
  expect(statSync(database).size).toBe(5000);

  const { exitCode, stdout } = await rig.cli('recover', '--json');
  expect(exitCode, stdout).toBe(0);
  const recovery = JSON.parse(stdout);
  expect(recovery).toMatchObject({ recovered: [tag, failed], known: 0, old: 0, unreadable: [] });
  expect(recovery.setAside).toContain(`${database}.damaged-`);
  expect(statSync(recovery.setAside).size).toBe(5000);
  expect((await rig.cli('recover')).stdout).toContain('0 builds are back, 2 were there');

  service = await rig.start();
  const listed = (await service.get('/api/builds')).body.builds as Build[];
  expect(listed.map(recorded)).toEqual(before.map(recorded));
  expect((await service.post('/', request)).body).toMatchObject({ tag, outcome: 'known' });
  expect((await service.post('/', clashing)).body).toMatchObject({ tag: failed, outcome: 'known' });
  const log = (await service.get(`/api/builds/${failed}/steps/prepare/log`)).body;
  expect(log).toContain('0001-Accept-larger-events.patch');
  await service.stop();
  expect(await leftoversAfter(5, rig.state)).toEqual([]);
});

/** Makes a branch of the productization repository on which a patch does not apply; gives the repository's name. */
async function spoilPatch(): Promise<string> {
  const name = new URL(parse(product).repository).pathname.slice(1);
  const work = await mkdtemp(join(tmpdir(), 'tributary-spoilt-'));
  const git = (...args: string[]) => execFileSync('git', ['-C', work, ...args]);
  git('clone', '--quiet', join(inject('demo').repositories, `${name}.git`), '.');
  const patch = join(work, 'patches/triggers/0001-Accept-larger-events.patch');
  await writeFile(patch, (await readFile(patch, 'utf8')).replace('1 << 20', '3 << 20'));
  const person = ['-c', 'user.name=Test', '-c', 'user.email=test@example.com'];
  git(...person, 'commit', '--quiet', '--all', '--message', 'Spoil a patch');
  git('push', '--quiet', 'origin', 'HEAD:refs/heads/spoilt');
  await rm(work, { recursive: true });
  return name;
}

/**
 * Of a build, what its record tells: not where it is served, not how the writing of the record ended, and not how often something was asked
 * again.
 */
function recorded({ steps, finishedAt: _, ...build }: Build & { links?: object }) {
  const { links: __, ...rest } = build;
  const kept = steps.filter(({ kind }) => kind !== 'report');
  return { ...rest, steps: kept.map(({ retries: _, ...step }) => step) };
}

test.skipIf(process.getuid?.() !== 0)(
  'where the disk of the state folder is full, this is told, the service lives on, and builds go on when there is space',
  async () => {
    using disk = smallDisk(64);
    const options = { product: () => product, remote: rig.remote, folder: disk.folder };
    await using small = serviceRig(inject('demo'), {}, options);
    const alive = await small.start();
    disk.fill();
    const { status, body } = await alive.post('/', { ...request, name: 'full' });
    expect(body.detail).toContain('no space left');
    expect({ status, reason: body.reason }).toEqual({ status: 507, reason: 'disk-full' });
    expect((await alive.get('/api/builds')).status).toBe(200);

    const reasons = new Set<string | undefined>();
    for (const kind of ['prepare', 'verify']) {
      disk.free();
      const asked = { ...request, name: `full-at-${kind}` };
      const { tag: full } = (await alive.post('/', asked)).body;
      await midStep(alive.pid, (step) => step.kind === kind, alive.ended(full));
      const before = alive.printed().length;
      disk.fill();
      await expect.poll(() => toldOrEnded(alive, full, before), { timeout: 20_000 }).toBe(true);
      reasons.add(((await alive.get(`/api/builds/${full}`)).body as Build).failure?.reason);
      disk.free();
      // Where not even the failure could be written, the build goes on by itself.
      await alive.post('/', asked);
      const ended = await alive.ended(full);
      expect(ended.failure, kind).toBeNull();
      expect(ended.images.map(({ digest }) => digest)).toEqual(
        first.images.map(({ digest }) => digest),
      );
    }
    // Which of the two it is depends on what met the full disk first.
    for (const reason of reasons) expect([undefined, 'disk-full']).toContain(reason);
    await alive.stop();
  },
);

/** Whether a build has ended, or its service has said that it was interrupted. */
async function toldOrEnded(alive: RunningService, asked: string, before: number): Promise<boolean> {
  const { state } = (await alive.get(`/api/builds/${asked}`)).body as Build;
  return state !== 'running' || alive.printed().slice(before).includes('was interrupted');
}

/** Kills the process of a step, or, where it is to build an image, its buildah; whether that was there. */
async function kill({ pid, kind }: MidStep): Promise<boolean> {
  const target = kind === 'manifests' ? programsBelow(pid, 'buildah')[0] : pid;
  if (target === undefined) return false;
  process.kill(target, 'SIGKILL');
  return true;
}

const digests = ({ images, bundle, index }: Build) => ({
  ...Object.fromEntries(images.map(({ name, digest }) => [name, digest])),
  bundle: bundle.digest,
  index: index.digest,
});

async function allEvents(): Promise<readonly BuildEvent[]> {
  return service.until(tag, ({ kind, attempt }) => kind === 'succeeded' && attempt === 2);
}

/** As the database says, with nobody working on it. */
async function finishedSteps(): Promise<string[]> {
  const { stdout } = await rig.cli('status', tag, '--json');
  const { steps } = JSON.parse(stdout) as Build;
  return steps
    .filter(({ state }) => state === 'succeeded' || state === 'reused')
    .map(({ id }) => id);
}

async function processesGone(): Promise<string[]> {
  const left = () => processesOf(rig.state).map(({ text }) => text);
  await expect.poll(left, { timeout: 3000 }).toEqual([]);
  return left();
}

/** Text and time of a step's log: both stay where the step is not run again. */
function logOf(step: string): string {
  const file = join(rig.state, 'logs', tag, '1', `${step.replaceAll('/', '~')}.log`);
  return `${statSync(file).mtimeMs} ${readFileSync(file, 'utf8')}`;
}
