import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { leftoversAfter } from '../support/leftovers.ts';
import { type RunningService, type ServiceRig, serviceRig } from '../support/service.ts';
import { smallProduct, smallRequest } from '../support/small-demo.ts';
import { countSteps } from '../support/step-processes.ts';

let rig: ServiceRig;
let service: RunningService;

beforeAll(async () => {
  rig = serviceRig(inject('demo'), { limits: { builds: 2, steps: 2 } }, { product: smallProduct });
  service = await rig.start();
  const { body } = await ask('first');
  expect(await service.ended(body.tag)).toMatchObject({ state: 'succeeded' });
});
afterAll(() => rig[Symbol.asyncDispose]());

const ask = (name: string) => service.post('/', { name, components: smallRequest });

test('ten builds at once run two at a time, in order, and leave nothing behind', async () => {
  const before = readdirSync(`/proc/${service.pid}/fd`).length;
  const watch = watchService();
  const tags: string[] = [];
  for (const index of Array.from({ length: 10 }, (_, number) => number)) {
    const { status, body } = await ask(`queue-${index}`);
    expect(status).toBe(201);
    expect(body.queuePosition ?? 0).toBeLessThanOrEqual(Math.max(0, index - 1));
    tags.push(body.tag);
  }
  const seen = await Promise.all(
    tags.map(async (tag) => (await service.get(`/api/builds/${tag}`)).body.queuePosition),
  );
  // Whoever is not begun yet has the next place after the one before.
  const waiting = seen.filter((position) => position !== null);
  expect(waiting.length).toBeGreaterThan(3);
  expect(waiting).toEqual(waiting.map((_, index) => (waiting[0] ?? 0) + index));
  const builds = await Promise.all(tags.map((tag) => service.ended(tag)));
  for (const build of builds) {
    expect(build).toMatchObject({ state: 'succeeded', queuePosition: null });
    expect(build.images.every(({ reused }) => reused)).toBe(true);
  }
  const starts = builds.map(({ startedAt }) => startedAt ?? '');
  expect(starts).toEqual([...starts].sort());
  for (const build of builds) {
    const now = build.startedAt ?? '';
    const others = builds.filter(
      ({ startedAt, finishedAt }) => (startedAt ?? '') <= now && (finishedAt ?? '') > now,
    );
    expect(others.length).toBeLessThanOrEqual(2);
  }
  expect(await leftoversAfter(5, rig.state, service.pid)).toEqual([]);
  const { steps, megabytes } = watch.end();
  expect(steps).toBeGreaterThan(0);
  expect(steps).toBeLessThanOrEqual(2);
  expect(megabytes).toBeLessThan(250);
  expect(readdirSync(`/proc/${service.pid}/fd`).length).toBeLessThan(before + 10);
});

/** Watches how many step processes there are at once, and how large the service is. */
function watchService() {
  const most = { steps: 0, megabytes: 0 };
  const { pid } = service;
  let ended = false;
  const watching = (async () => {
    while (!ended) {
      const steps = countSteps(rig.state, /^\S*node \S*cli\.ts step /);
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      const kilobytes = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]);
      most.steps = Math.max(most.steps, steps);
      most.megabytes = Math.max(most.megabytes, kilobytes / 1024);
      await sleep(50);
    }
  })();
  return {
    end: () => {
      ended = true;
      void watching;
      return most;
    },
  };
}
