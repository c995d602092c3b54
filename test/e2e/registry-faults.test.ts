import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Build } from '../../src/builds/build.ts';
import type { BuildEvent } from '../../src/builds/event.ts';
import { addresses } from '../cluster/places.ts';
import { describeOnOurs, testCluster } from '../support/cluster.ts';
import { type ClusterDemo, startClusterDemo } from '../support/cluster-demo.ts';
import { type DeployedService, deployService, type Replica } from '../support/deployed-service.ts';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';
import { quickProduct } from '../support/small-demo.ts';

/** A registry that is away, full or slow while real builds push to it and read it, each through a proxy of its own. */
let demo: ClusterDemo;
let service: DeployedService;
let proxies: Readonly<Record<Remote, FaultyProxy>>;
const remotes = ['away', 'full', 'slow'] as const;
type Remote = (typeof remotes)[number];
const folder = mkdtempSync(join(tmpdir(), 'tributary-registry-faults-'));

async function replica(): Promise<Replica> {
  const [first] = await service.whole();
  if (first === undefined) throw new Error('no replica is ready');
  return first;
}

async function ask(name: string, remote: Remote) {
  const component = 'tektoncd/operator';
  const request = { name, remote, components: { [component]: `${component}#1400` } };
  const { status, body } = await service.post(await replica(), '/', request);
  expect(status, JSON.stringify(body)).toBe(201);
  return body as Build;
}

/** Waits for an event of an attempt. */
async function until(tag: string, attempt: number, isIt: (event: BuildEvent) => boolean) {
  for await (const { event } of service.events(await replica(), tag))
    if (event.attempt === attempt && isIt(event)) return;
  throw new Error(`${tag} ended without it`);
}

async function finished(tag: string): Promise<Build> {
  await service.follow(tag);
  return (await service.get(await replica(), `/api/builds/${tag}`)).body;
}

const image = 'image/openshift-pipelines-operator';
const begins = ({ kind, ...event }: BuildEvent) =>
  kind === 'step-started' && 'step' in event && event.step === image;

describeOnOurs('a registry', { concurrent: true, timeout: 400_000 }, () => {
  beforeAll(async () => {
    const cluster = testCluster();
    demo = await startClusterDemo(cluster);
    const product = join(folder, 'product.yaml');
    writeFileSync(product, quickProduct(demo));
    const started = remotes.map(async (name) => [
      name,
      await startFaultyProxy(cluster.registry, addresses.host),
    ]);
    proxies = Object.fromEntries(await Promise.all(started));
    const { auths } = JSON.parse(readFileSync(join(cluster.pushSecret, 'config.json'), 'utf8'));
    const hosts = Object.values(proxies).map(({ host }) => [host, auths[cluster.registry]]);
    const secret = { auths: { ...auths, ...Object.fromEntries(hosts) } };
    writeFileSync(join(folder, 'config.json'), JSON.stringify(secret));
    const path = `faults-${randomBytes(4).toString('hex')}`;
    const remote = (name: Remote) => ({
      ...{ push: `${proxies[name].host}/${path}/${name}`, insecure: true },
      default: name === 'away',
      authfile: '/etc/tributary-push/auth.json',
    });
    service = await deployService(
      { ...cluster, pushSecret: folder },
      'registry-faults',
      { ...demo, product },
      {
        access: { callers: 'kubernetes', trust: { demand: 'none' } },
        limits: { 'retry-seconds': 12 },
        remotes: Object.fromEntries(remotes.map((name) => [name, remote(name)])),
      },
    );
  });
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    for (const proxy of Object.values(proxies ?? {})) await proxy[Symbol.asyncDispose]();
    await demo?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  test('that goes away for too long fails a build, whose owner is told; asked again, a moment without it is waited out', async () => {
    const { tag } = await ask('away', 'away');
    await until(tag, 1, begins);
    await proxies.away.down();
    const failing = finished(tag);
    await service.space.kubectl([
      ...['wait', 'pipelinerun', '--selector', `tributary.dev/tag=${tag}`],
      ...['--for=condition=Succeeded=False', '--timeout=150s'],
    ]);
    await proxies.away.up();
    expect(await failing).toMatchObject({
      state: 'failed',
      failure: {
        ...{ reason: 'registry-unavailable', owner: 'infrastructure' },
        hint: expect.stringMatching(/can be reached.*ask again: what was finished is kept/),
      },
    });

    expect(await ask('away', 'away')).toMatchObject({ tag, attempt: 2 });
    await until(tag, 2, begins);
    await proxies.away.down();
    await new Promise((done) => setTimeout(done, 5000));
    await proxies.away.up();
    const build = await finished(tag);
    expect(build).toMatchObject({ state: 'succeeded', failure: null });
  });

  test('that is full fails a build, and says so; what was finished is used when there is room', async () => {
    const { tag } = await ask('full', 'full');
    await until(tag, 1, begins);
    proxies.full.script(({ method }) =>
      method === 'GET' || method === 'HEAD' ? undefined : { kind: 'status', status: 500 },
    );
    expect(await finished(tag)).toMatchObject({
      state: 'failed',
      failure: {
        ...{ reason: 'registry-unavailable', owner: 'infrastructure' },
        hint: expect.stringContaining('A registry whose storage is full answers 500'),
      },
    });
    proxies.full.script();
    expect(await ask('full', 'full')).toMatchObject({ tag, attempt: 2 });
    expect(await finished(tag)).toMatchObject({ state: 'succeeded', failure: null });
  });

  test('that is slow delays two builds of the same code at once, and both succeed with the same images', async () => {
    proxies.slow.script(() => ({ kind: 'delay', milliseconds: 150 }));
    const asked = await Promise.all(['one', 'two'].map((name) => ask(name, 'slow')));
    const builds = await Promise.all(asked.map(({ tag }) => finished(tag)));
    expect(builds).toMatchObject([{ state: 'succeeded' }, { state: 'succeeded' }]);
    const [one, two] = builds.map(({ images }) =>
      images.map(({ name, digest }) => ({ name, digest })),
    );
    expect(one).toEqual(two);
  });
});
