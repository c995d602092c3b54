import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createRegistry } from '../../src/adapters/registry/registry.ts';
import type { Build } from '../../src/builds/build.ts';
import { readRecord } from '../../src/cli/read-record.ts';
import { Configuration } from '../../src/config/config.ts';
import { readText } from '../../src/plan/file-tree.ts';
import type { Lock } from '../../src/plan/lock.ts';
import { pipelinerunName } from '../../src/plan/tag.ts';
import { type Artifact, readArtifact } from '../../src/steps/artifact.ts';
import type { Registry } from '../../src/steps/step.ts';
import { taskPhases, taskVariables } from '../../src/steps/task-input.ts';
import { outcomeReference, readOutcome, type TaskOutcome } from '../../src/steps/task-outcome.ts';
import { parseTaskLine } from '../../src/steps/task-output.ts';
import { digestIn } from '../support/images.ts';
import { runInPod } from '../support/pod.ts';
import { ourselves, type ServiceRig, serviceRig } from '../support/service.ts';
import { quickProduct } from '../support/small-demo.ts';

type Phase = keyof typeof taskPhases;

let rig: ServiceRig;
/** Hears of the end of builds. */
let target: Server;
const heard: unknown[] = [];
let registry: Registry;
let folder: string;
/** As the local engine built it. */
let local: Build;
let lock: Lock;

beforeAll(async () => {
  target = createServer(async (request, answer) => {
    heard.push(await json(request));
    answer.end();
  });
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  const { port } = target.address() as AddressInfo;
  const team = { url: `http://127.0.0.1:${port}`, secret: { env: 'NOTIFY_KEY' } };
  rig = serviceRig(inject('demo'), { notify: { team } }, { product: quickProduct });
  folder = await mkdtemp(join(tmpdir(), 'tributary-pods-'));
  // Containers are not root of the machine.
  for (const path of [folder, rig.state]) await chmod(path, 0o755);
  registry = await createRegistry(
    Configuration.parse({ remotes: { demo: { push: rig.remote, insecure: true } } }),
    { folder },
  );
  const { stdout, stderr } = await rig.cli('build', '--name', 'base', '--json');
  local = JSON.parse(stdout || `"${stderr}"`);
  lock = JSON.parse(readText((await record()).files, 'lock.json') ?? '');
});
afterAll(async () => {
  target.close();
  await rig[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function record(): Promise<Artifact> {
  const found = await readArtifact(registry, `${rig.remote}/tributary:${local.tag}-record`);
  if (found === undefined) throw new Error('no record');
  return found;
}

/** Runs the containers of the tasks of a run, each as in its pod; gives what they printed. */
function cluster(run: string, more: Readonly<Record<string, string>> = {}) {
  // Of the containers of one pod, as their other folders.
  const resultsIn = (pod: string) => join(pod, `${run}-results`);
  // Compiled once, as an image may have it.
  const cache = join(folder, 'cache');
  const container = async (phase: Phase, pod: string, given: Readonly<Record<string, string>>) => {
    const home = await mkdtemp(join(folder, 'home-'));
    const results = resultsIn(pod);
    for (const path of [results, cache, join(pod, 'in'), join(pod, 'out')])
      await mkdir(path, { recursive: true });
    const writes = phase === 'fetch' ? ['in'] : phase === 'run' ? ['out'] : [];
    const { exitCode, output } = await runInPod(folder, {
      command: [
        ...taskPhases[phase].startedBy,
        ...[process.execPath, join(ourselves.checkout, 'src/cli.ts'), 'task', phase],
      ],
      env: {
        ...{ HOME: home, XDG_STATE_HOME: home, TMPDIR: home, XDG_CACHE_HOME: cache },
        PATH: `${join(ourselves.checkout, '.tools/bin')}:${process.env['PATH']}`,
        [taskVariables.config]: rig.configuration,
        [taskVariables.run]: run,
        [taskVariables.tag]: local.tag,
        [taskVariables.lock]: JSON.stringify(lock),
        [taskVariables.results]: results,
        [taskVariables.pod]: pod,
        ...{ ...more, ...given },
      },
      capabilities: taskPhases[phase].capabilities,
      network: phase !== 'run',
      writable: [home, results, cache, ...writes.map((name) => join(pod, name))],
      readOnly: [
        ...[ourselves.checkout, rig.state],
        ...['in', 'out'].filter((name) => !writes.includes(name)).map((name) => join(pod, name)),
      ],
    });
    return { exitCode, output };
  };
  const result = (name: string, pod = folder) => readFile(join(resultsIn(pod), name), 'utf8');
  return { container, result };
}

async function outcome(run: string, task: string): Promise<TaskOutcome> {
  const found = await readOutcome(registry, outcomeReference({ lock }, run, task));
  if (found === undefined) throw new Error(`no outcome of ${task}`);
  return found;
}

test('built anew in the pods of a run, without privilege, everything has the digests of the local engine', async () => {
  expect(local).toMatchObject({ state: 'succeeded' });
  const names = [...local.images.map(({ image }) => image), local.bundle.image, local.index.image];
  const before = names.map(digestIn);
  const run = pipelinerunName(local.tag);
  const { container, result } = cluster(run, { [taskVariables.rebuild]: 'true' });

  const prepared = await container('prepare', folder, {});
  expect(prepared.exitCode, prepared.output).toBe(0);
  const plan = await result('plan');
  const units: string[] = [
    ...JSON.parse(await result('units')),
    ...((await result('payload')) === 'yes' ? ['payload'] : []),
  ];
  expect(units).toEqual(['000', 'payload']);
  // The first pulls base images; in another pod of another run they are what it left.
  const others = [
    { of: run, units },
    { of: `${run}-again`, units: ['000'] },
  ];
  for (const { of, unit } of others.flatMap(({ of, units }) =>
    units.map((unit) => ({ of, unit })),
  )) {
    const pod = join(folder, of === run ? `pod-${unit}` : 'pod-again');
    const given = {
      [taskVariables.run]: of,
      [taskVariables.plan]: plan,
      [taskVariables.unit]: unit,
    };
    for (const phase of ['fetch', 'run', 'push'] as const) {
      const { exitCode, output } = await container(phase, pod, given);
      if (unit === '000' && phase === 'fetch')
        expect(/pulling base image/.test(output), output).toBe(of === run);
      expect(output.split('\n').filter((line) => line !== '' && !parseTaskLine(line))).toEqual([]);
      expect(exitCode, output).toBe(0);
    }
  }
  const pod = join(folder, 'pod-000');
  expect(`${await result('IMAGE_URL', pod)}@${await result('IMAGE_DIGEST', pod)}`).toMatch(
    /openshift-pipelines-operator@sha256:/,
  );
  const asked = { [taskVariables.build]: JSON.stringify(askedOf(local)), NOTIFY_KEY: 'secret' };
  const given = { [taskVariables.plan]: plan, ...asked };
  const assembled = await container('assemble', folder, given);
  expect(assembled.exitCode, assembled.output).toBe(0);
  expect(names.map(digestIn)).toEqual(before);
  const { bundle, index } = local;
  const installed = [bundle, index].map(({ image, digest }) =>
    image.replace(/:[^:]*$/, `@${digest}`),
  );
  expect((await result('IMAGES')).split('\n')).toEqual(expect.arrayContaining(installed));
  const ended = { event: 'finished', build: { tag: local.tag, state: 'succeeded' } };
  expect(heard).toMatchObject([ended]);
  const kept = readRecord(await record());

  // As where `assemble` could not keep it.
  const reported = await container('report', folder, {
    ...asked,
    [taskVariables.reasons]: 'prepare=Succeeded payload=Succeeded images=Succeeded assemble=Failed',
  });
  expect(reported.exitCode, reported.output).toBe(0);
  expect(heard).toMatchObject([ended, ended]);
  const recalled = readRecord(await record());
  expect(typeof kept !== 'string' && kept.changes.at(-1)?.change).toEqual({ kind: 'succeeded' });
  if (typeof recalled === 'string') throw new Error(recalled);
  expect(recalled.changes.at(-1)?.change).toEqual({ kind: 'succeeded' });
  expect([...recalled.logs.keys()]).toContain('image~openshift-pipelines-operator.log');
  const made = await outcome(run, 'images-000');
  // Nothing but the product's own sources ran: what compilers left of them is for everybody.
  const log = made.logs.get('image~openshift-pipelines-operator.log')?.content.toString();
  expect(log).toMatch(/seed \S+, 1 layers$/m);
  expect(log).toMatch(/kept what was compiled as seed \S+$/m);
  expect(made.messages.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(['step-started', 'step-finished']),
  );
});

function askedOf({ tag, pipelinerun, requester, components, createdAt }: Build) {
  const product = {
    images: { 'openshift-pipelines-operator': {} },
    bundle: { image: 'b' },
    index: { image: 'i' },
  };
  return {
    tag,
    pipelinerun,
    product,
    lockDigest: '',
    lock,
    read: components,
    requester,
    notify: ['team'],
    rebuild: true,
    ...{ attempt: 1, createdAt, startedAt: createdAt },
  };
}
