import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeService } from '../../test/support/fake-service.ts';
import { createRepository, type TestRepository } from '../../test/support/git-repository.ts';
import { MemoryRegistry } from '../../test/support/memory-registry.ts';
import { createGit } from '../adapters/git/git-command.ts';
import { createGitHttp } from '../adapters/git/git-http.ts';
import { createMirrors } from '../adapters/git/git-mirrors.ts';
import { run } from '../adapters/processes/command.ts';
import { openShelf } from '../adapters/storage/shelf.ts';
import { createApp } from '../api/app.ts';
import { createMetrics } from '../api/metrics.ts';
import type { App } from '../api/parts.ts';
import { textFile } from '../plan/file-tree.ts';
import type { Lock, PinnedSource } from '../plan/lock.ts';
import type { CommitSha, ComponentName } from '../plan/names.ts';
import { planFacts } from '../plan/plan-facts.fixture.ts';
import { lockDigest, tagFor } from '../plan/tag.ts';
import { combineSource } from '../resolve/combine-source.ts';
import type { Mirrors } from '../resolve/git-interface.ts';
import { writeArtifact } from '../steps/artifact.ts';
import { exportAgain } from './export-again.ts';

const component = 'tektoncd/pipeline' as ComponentName;
let folder: string;
let upstream: TestRepository;
let registry: MemoryRegistry;
let lock: Lock;
let tag: string;
const apps: App[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-again-'));
  registry = new MemoryRegistry();
  upstream = await createRepository(join(folder, 'upstream'));
  const start = await upstream.commit('start', { 'a.txt': 'a\n' });
  const base = await upstream.commit('base', { 'a.txt': 'changed\n' });
  await upstream.branch('change', start);
  const commit = await upstream.commit('change', { 'b.txt': 'b\n' });
  const { url } = upstream;
  const from: PinnedSource = {
    ...{ kind: 'merge', url, baseUrl: url, ref: 'refs/pull/1/head', commit },
    base: { branch: 'main', commit: base, found: 'request' },
  };
  const { lock: given } = planFacts();
  lock = { ...given, components: { ...given.components, [component]: from } };
  tag = tagFor(lock.name, lockDigest(lock));
});
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
  await rm(folder, { recursive: true });
});

/** The mirrors of a machine of its own. */
function mirrorsOf(machine: string): Mirrors {
  const git = createGit({ urls: {}, credentials: {}, protocols: ['file'] });
  return createMirrors(git, openShelf(join(machine, 'mirrors')), join(machine, 'histories'));
}

/** What the pod of `prepare` comes to. */
async function merged(): Promise<CommitSha> {
  const mirror = await mirrorsOf(join(folder, 'pod')).mirror(upstream.url);
  const from = lock.components[component] as PinnedSource;
  return (await combineSource(from, component, mirror)).commit;
}

async function keepPlan(commit: string): Promise<void> {
  const plan = { tag, lock, sources: { [component]: { commit } } };
  const files = new Map([['plan.json', textFile(JSON.stringify(plan))]]);
  const content = { kind: 'plan', metadata: {}, files };
  await writeArtifact(registry, folder, `${lock.remote.push}/tributary:${tag}-plan`, content);
}

/** Starts a replica on a state folder of its own; gives the URL of a repository of the build. */
async function replica(): Promise<string> {
  const state = await mkdtemp(join(folder, 'replica-'));
  const remotes = { demo: { push: lock.remote.push } } as never;
  const mirrors = mirrorsOf(state);
  const again = exportAgain({
    configuration: { state, remotes },
    registry: async () => registry,
    mirrors: async () => mirrors,
  });
  const app = await createApp({
    service: new FakeService(),
    git: createGitHttp(state, again),
    metrics: createMetrics(async () => ({ queued: 0, running: 0 })),
    hosts: [],
    closing: new AbortController().signal,
  });
  apps.push(app);
  return `${await app.listen({ host: '127.0.0.1', port: 0 })}/api/builds/${tag}/git`;
}

/** What a git client gets that fetches the branch which upstream_sources.yaml names. */
async function fetched(url: string): Promise<string> {
  const client = await mkdtemp(join(folder, 'client-'));
  const git = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await run('git', args, { cwd: client, timeout: 20_000 });
    return exitCode === 0 ? stdout.toString().trim() : `${stderr}`;
  };
  await git('init', '--quiet');
  const answer = await git('fetch', '--quiet', url, 'tributary');
  return answer || git('rev-parse', 'FETCH_HEAD');
}

test('any replica serves a commit that a pod has made by merging', async () => {
  const commit = await merged();
  await keepPlan(commit);
  for (const url of [await replica(), await replica()])
    expect(await fetched(`${url}/${component}.git`)).toBe(commit);
});

test('several clients at once get it, too', async () => {
  const commit = await merged();
  await keepPlan(commit);
  const url = `${await replica()}/${component}.git`;
  expect(await Promise.all([url, url, url].map(fetched))).toEqual([commit, commit, commit]);
});

test('another merge than the one that was built is not served', async () => {
  await keepPlan('0'.repeat(40));
  expect(await fetched(`${await replica()}/${component}.git`)).toContain('500');
});

test('what no build made is not there', async () => {
  await keepPlan(await merged());
  const url = await replica();
  expect(await fetched(`${url}/tektoncd/triggers.git`)).toContain('not found');
  expect(await fetched(`${url.replace(tag, 'other-000000')}/${component}.git`)).toContain(
    'not found',
  );
});
