import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Build } from '../../src/builds/build.ts';
import { digestIn, kodataOf } from '../support/images.ts';
import { leftoversAfter } from '../support/leftovers.ts';
import { type RunningService, type ServiceRig, serviceRig } from '../support/service.ts';

/** The whole demo product by its own Makefile; test/integration/makefile.test.ts does the same with three images. */

const world = inject('demo');
const triggers = 'tektoncd/triggers';
let folder: string;
let rig: ServiceRig;
let service: RunningService;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tributary-makefile-'));
  rig = serviceRig(world, { 'allow-unconfined': true });
  service = await rig.start();
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function build(name: string, components: object, strategy: string): Promise<Build> {
  const { body } = await service.post('/api/builds', { name, components, strategy });
  expect(body, JSON.stringify(body)).toHaveProperty('tag');
  return service.ended(body.tag);
}

test('the whole product, with patches that the code contains already, has the same kodata by both strategies', async () => {
  const components = {
    'tektoncd/pipeline': 'tektoncd/pipeline#4702',
    [triggers]: `${triggers}#1302`,
    'openshift-pipelines/pipelines-as-code': 'openshift-pipelines/pipelines-as-code#25',
    'tektoncd/operator': 'tektoncd/operator#1400',
  };
  const made = await build('whole', components, 'makefile');
  const other = await build('whole', components, 'images');
  expect(made.failure).toBeNull();
  expect(other.failure).toBeNull();
  expect(made.images).toHaveLength(9);
  for (const { name, digest } of made.images)
    expect(digestIn(`${rig.remote}/${name}:${made.tag}`), name).toBe(digest);
  for (const name of ['openshift-pipelines-operator', 'openshift-pipelines-operator-webhook']) {
    const kodata = ({ tag }: Build) => kodataOf(`${rig.remote}/${name}:${tag}`);
    expect(kodata(made)).toEqual(kodata(other));
  }
  expect(made.patches).toEqual(other.patches);
});

test('a target that fails is named, with the last lines that it wrote', async () => {
  const branch = brokenBranch();
  const components = { [triggers]: { ref: `${triggers}#${branch}`, as: 'head' } };
  const { failure } = await build('broken', components, 'makefile');
  expect(failure).toMatchObject({ reason: 'target-failed', owner: 'ref', step: 'makefile' });
  expect(failure?.detail).toMatch(
    /^`make bundle\/push` failed in its target container\/openshift-pipelines-triggers-controller \(Makefile:\d+\) with exit code 2\.$/,
  );
  const lines = failure?.about?.['output'] as string[];
  expect(lines.join('\n')).toContain('undefined: nothing');
  expect(await leftoversAfter(5, rig.state, service.pid)).toEqual([]);
});

/** A branch of triggers whose controller does not compile. */
function brokenBranch(): string {
  const branch = `broken-${randomBytes(4).toString('hex')}`;
  const bare = join(world.repositories, `${triggers}.git`);
  const work = join(folder, branch);
  const git = (...args: string[]) =>
    execFileSync('git', [
      ...['-C', work, '-c', 'user.name=Test', '-c', 'user.email=test@example.com'],
      ...args,
    ]);
  execFileSync('git', ['clone', '--quiet', '--branch', 'main', bare, work]);
  writeFileSync(
    join(work, 'cmd/controller/main.go'),
    'package main\n\nfunc main() { nothing() }\n',
  );
  git('commit', '--quiet', '--all', '--message', 'Break the controller');
  git('push', '--quiet', 'origin', `HEAD:refs/heads/${branch}`);
  return branch;
}
