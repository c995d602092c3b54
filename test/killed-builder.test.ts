import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createMake } from '../src/adapters/builder/make.ts';
import { createRegistry } from '../src/adapters/registry/registry.ts';
import { attempt, type Failure } from '../src/builds/failure.ts';
import { Configuration } from '../src/config/config.ts';
import type { Tag } from '../src/plan/names.ts';
import { pushBusyboxImage } from './support/busybox-image.ts';
import { configurationOf, type HostileWorld, places } from './support/hostile/places.ts';
import { leftoversAfter } from './support/leftovers.ts';
import { programsBelow } from './support/mid-step.ts';
import { startRegistry, type TestRegistry } from './support/registry.ts';

/**
 * buildah is killed in the middle of its work, wherever a step runs one. The failure must say so, and not that the code is bad:
 * then the engine begins the step once more. (The manifests step: test/integration/crash.test.ts.)
 */

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let registry: TestRegistry;
let world: HostileWorld;

beforeAll(async () => {
  registry = await startRegistry();
  const folder = await mkdtemp(join(tmpdir(), 'killed-builder-'));
  const state = await mkdtemp(join(tmpdir(), 'tributary-state-'));
  world = { folder, state, registry: registry.host, base: '' };
  const reach = await createRegistry(configurationOf(world), { folder });
  world = { ...world, base: await pushBusyboxImage(reach, `${registry.host}/base/killed:1`) };
});
afterAll(async () => {
  await registry.close();
  for (const folder of [world.folder, world.state]) await rm(folder, { recursive: true });
});

type Work = (code: string, log: (text: string) => void) => Promise<Failure | undefined>;

const makefile: Work = async (code, log) => {
  const folder = await mkdtemp(join(world.folder, 'make-'));
  await mkdir(join(folder, 'image'));
  await writeFile(join(folder, 'image/Dockerfile'), `FROM ${world.base}\nRUN ${code}\n`);
  const command = 'buildah bud --tls-verify=false --network none image';
  await writeFile(
    join(folder, 'Makefile'),
    `all:\n\t@for image in one; do ${command} || exit; done\n`,
  );
  const configuration = Configuration.parse({
    remotes: { demo: { push: world.registry, insecure: true } },
  });
  const outcome = await attempt(() =>
    createMake({ ...configuration, state: world.state }).run(
      {
        ...{ folder, targets: ['all'], variables: {}, repositories: {} },
        ...{ tag: 'killed-012345' as Tag, remote: 'demo' },
      },
      { log, progress: () => {} },
      new AbortController().signal,
    ),
  );
  return outcome.ok ? undefined : outcome.failures[0];
};

test.for<readonly [string, Work]>([
  ...places.map(({ place, attack }): readonly [string, Work] => [
    place,
    async (code, log) => (await attack(world, { code, log })).failure,
  ]),
  ['a target of a Makefile', makefile],
])(
  'a buildah that is killed in %s is told as such, leaves nothing, and the next one works',
  async ([, work]) => {
    const killed: number[] = [];
    const failure = await work('echo begun >&2; sleep 60', (text) => {
      if (!/^begun/m.test(text) || killed.length > 0) return;
      killed.push(...programsBelow(process.pid, 'buildah').slice(0, 1));
      for (const pid of killed) process.kill(pid, 'SIGKILL');
    });
    expect({ killed, failure }).toEqual({
      killed: [expect.any(Number)],
      failure: expect.anything(),
    });
    expect(failure).toMatchObject({
      reason: 'step-crashed',
      detail: expect.stringContaining('killed'),
    });
    expect(await leftoversAfter(5, world.state)).toEqual([]);
    expect(await work('true', () => {})).toBeUndefined();
  },
);
