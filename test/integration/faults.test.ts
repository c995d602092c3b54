import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import type { Build } from '../../src/builds/build.ts';
import type { BuildEvent } from '../../src/builds/event.ts';
import {
  type Fault,
  type FaultyProxy,
  first,
  scripts,
  startFaultyProxy,
} from '../support/faulty-proxy.ts';
import { type RunningService, type ServiceRig, serviceRig } from '../support/service.ts';
import { smallImages, smallProduct, smallRequest } from '../support/small-demo.ts';

let registry: FaultyProxy;
let git: FaultyProxy;
let rig: ServiceRig;
let service: RunningService;

beforeAll(async () => {
  const world = inject('demo');
  registry = await startFaultyProxy(world.registry);
  git = await startFaultyProxy(new URL(world.git).host);
  rig = serviceRig(
    { ...world, registry: registry.host, git: `http://${git.host}/` },
    {
      limits: {
        ...{ builds: 2, steps: 4 },
        ...{ 'retry-seconds': 30, 'answer-seconds': 60, 'silence-seconds': 2 },
      },
    },
    { product: smallProduct },
  );
  service = await rig.start();
});
afterEach(() => {
  registry.script();
  git.script();
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  await git[Symbol.asyncDispose]();
});

const otherRequest = { 'tektoncd/triggers': 'tektoncd/triggers#main' };
const ask = (name: string, more: object = {}) =>
  service.post('/', { name, components: smallRequest, ...more });

/** Starts the service anew with another setting. */
async function restart(before: string, after: string): Promise<void> {
  await service.stop();
  const text = readFileSync(rig.configuration, 'utf8');
  expect(text).toContain(before);
  writeFileSync(rig.configuration, text.replace(before, after));
  service = await rig.start();
}

/** All events of a build that has ended. */
async function eventsOf(tag: string): Promise<readonly BuildEvent[]> {
  const ends = ['succeeded', 'failed', 'cancelled'];
  return service.until(tag, ({ kind }) => ends.includes(kind));
}

const digests = ({ images, bundle, index }: Build) => ({
  ...Object.fromEntries(images.map(({ name, digest }) => [name, digest])),
  ...{ bundle: bundle.digest, index: index.digest },
});

let undisturbed: Build;

test('two builds that need the same at once make it once, though base images come in pieces', async () => {
  registry.script(first(2, /^GET \/v2\/base\/\S*\/blobs\//, { kind: 'cut', after: 5000 }));
  const tags = [];
  for (const name of ['one', 'two']) tags.push((await ask(name)).body.tag as string);
  const builds = await Promise.all(tags.map((tag) => service.ended(tag)));
  for (const build of builds) expect(build).toMatchObject({ state: 'succeeded', failure: null });
  for (const image of smallImages) {
    const made = builds.map(({ images }) => images.find(({ name }) => name === image));
    expect(made.map((one) => one?.reused).sort(), image).toEqual([false, true]);
    expect(made[0]?.digest).toBe(made[1]?.digest);
  }
  const events = await Promise.all(tags.map(eventsOf));
  const texts = events.flat().map((event) => (event.kind === 'step-progress' ? event.text : ''));
  expect(texts).toContain('waiting for another build that makes the same');
  undisturbed = builds[0] as Build;
});

test('a build that meets trouble at every stage says so, and ends with the same digests', async () => {
  const at = (pattern: string, fault: Fault) => first(1, new RegExp(`^${pattern}`), fault);
  const path = rig.remote.slice(rig.remote.indexOf('/'));
  const [image] = smallImages;
  const late = { 'retry-after': '1' };
  let indexed = false;
  const verifying = at(`GET /v2${path}/\\S*-bundle/manifests/`, { kind: 'status', status: 503 });
  registry.script(
    scripts(
      (request) => (indexed ? verifying(request) : undefined),
      ({ method, url }) => {
        indexed ||= method === 'PUT' && /-index\/manifests\/one-/.test(url);
        return undefined;
      },
      at(`GET /v2${path}/tributary/blobs/`, { kind: 'cut', after: 100 }),
      at(`PUT /v2${path}/tributary/manifests/\\S*-plan`, { kind: 'status', status: 500 }),
      at(`GET /v2${path}/${image}/manifests/`, { kind: 'cut', after: 20 }),
      at(`PUT /v2${path}/${image}/manifests/`, { kind: 'status', status: 429, headers: late }),
      at(`PUT /v2${path}/\\S*-operator/manifests/one-`, { kind: 'drop' }),
      at(`PUT /v2${path}/\\S*-bundle/manifests/`, { kind: 'status', status: 502 }),
      at(`GET /v2${path}/\\S*-bundle/blobs/`, { kind: 'corrupt', at: 1 }),
      at(`PUT /v2${path}/\\S*-index/manifests/`, { kind: 'drop' }),
      at(`PUT /v2${path}/tributary/manifests/\\S*-record`, { kind: 'status', status: 503 }),
    ),
  );
  const { body } = await ask('one', { rebuild: true });
  git.script(
    scripts(
      at('GET /tektoncd/triggers', { kind: 'status', status: 503 }),
      at('POST /tektoncd/operator', { kind: 'delay', milliseconds: 500 }),
      at('GET /tektoncd/operator', { kind: 'drop' }),
    ),
  );
  expect(body).toMatchObject({ tag: undisturbed.tag, attempt: 2 });
  const build = await service.ended(body.tag);
  expect(build).toMatchObject({ state: 'succeeded', failure: null });
  expect(build.images.some(({ reused }) => reused)).toBe(false);
  expect(digests(build)).toEqual(digests(undisturbed));
  const troubled = build.steps.filter(({ retries }) => (retries ?? 0) > 0).map(({ kind }) => kind);
  expect(new Set(troubled)).toEqual(
    new Set(['prepare', 'image', 'operator-payload', 'bundle', 'index', 'verify', 'report']),
  );
  const met = [...registry.seen, ...git.seen].filter(({ fault }) => fault !== undefined);
  expect(met.length).toBeGreaterThan(10);
});

test('servers that are slow, say nothing or stop in the middle delay a build, and it goes on', async () => {
  const path = rig.remote.slice(rig.remote.indexOf('/'));
  const at = (pattern: string, fault: Fault) => first(1, new RegExp(`^${pattern}`), fault);
  const slowly = (times: number) => first(times, /./, { kind: 'delay', milliseconds: 200 });
  const started = Date.now();
  const { body: cold } = await ask('slow-git', { components: otherRequest });
  git.script(
    scripts(
      at('GET /tektoncd/triggers', { kind: 'hang' }),
      at('POST /tektoncd/triggers', { kind: 'stall', after: 20 }),
      slowly(5),
    ),
  );
  const events = await service.until(
    cold.tag,
    (event) => event.kind === 'step-finished' && event.step === 'prepare',
  );
  await service.post(`/api/builds/${cold.tag}/cancel`);
  const silences = (all: readonly BuildEvent[]) =>
    all.flatMap((event) => (event.kind === 'step-retrying' ? [event.what] : []));
  expect(git.seen.slice(-12).map(({ fault }) => fault)).toContain('hang');
  expect(silences(events)).toContain('git server github.com');
  // Two silences; each is half a minute where nobody says otherwise.
  expect(Date.now() - started).toBeLessThan(45_000);

  registry.script(
    scripts(
      at(`PUT /v2${path}/\\S*-bundle/manifests/slow-`, { kind: 'hang' }),
      at(`GET /v2${path}/\\S*-index/blobs/`, { kind: 'stall', after: 20 }),
      slowly(10),
    ),
  );
  const { body } = await ask('slow');
  const build = await service.ended(body.tag);
  expect(build).toMatchObject({ state: 'succeeded', failure: null });
  const troubled = build.steps.filter(({ retries }) => (retries ?? 0) > 0).map(({ kind }) => kind);
  expect(troubled).toContain('bundle');
});

test('a registry that goes away in the middle is waited for', async () => {
  const { body } = await ask('interrupted');
  await service.until(body.tag, ({ kind }) => kind === 'planned');
  await registry.down();
  const events = await service.until(body.tag, ({ kind }) => kind === 'step-retrying');
  expect(events.at(-1)).toMatchObject({
    what: `registry ${registry.host}`,
    why: expect.stringContaining('refused'),
  });
  const during = (await service.get(`/api/builds/${body.tag}`)).body as Build;
  const running = during.steps.find(({ retries }) => retries !== undefined);
  expect(running?.progress).toContain('asking again in');
  const followed = rig.startCli('status', body.tag, '--follow');
  await registry.up();
  expect(await service.ended(body.tag)).toMatchObject({ state: 'succeeded' });
  expect((await followed.ended).stdout).toContain('asking again in');
});

test('a registry that stays away fails the build as such; asked again, it goes on from what was finished', async () => {
  await restart('retry-seconds: 30', 'retry-seconds: 1');
  const { body } = await ask('lost');
  await service.until(body.tag, ({ kind }) => kind === 'planned');
  await registry.down();
  const failed = await service.ended(body.tag);
  await registry.up();
  expect(failed).toMatchObject({
    state: 'failed',
    failure: {
      reason: 'registry-unavailable',
      owner: 'infrastructure',
      hint: expect.stringContaining('what was finished is kept'),
    },
  });
  const { body: again } = await ask('lost');
  expect(again).toMatchObject({ tag: body.tag, outcome: 'restarted', attempt: 2 });
  const build = await service.ended(body.tag);
  expect(build).toMatchObject({ state: 'succeeded' });
  expect(build.images.every(({ reused }) => reused)).toBe(true);
});

test('who asks does not notice a hiccup of a git server, and is answered in time where it is silent', async () => {
  git.script(first(1, /^GET/, { kind: 'status', status: 503 }));
  expect((await ask('one')).status).toBe(200);

  git.script(() => ({ kind: 'hang' }));
  await restart('answer-seconds: 60', 'answer-seconds: 2');
  const started = Date.now();
  const { status, body } = await service.post('/', { name: 'silent', components: otherRequest });
  expect(Date.now() - started).toBeLessThan(8000);
  expect(status).toBe(504);
  expect(body).toMatchObject({
    title: 'A git server takes too long',
    problems: [{ reason: 'git-too-slow', hint: expect.stringContaining('Ask again') }],
  });
});
