import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parse } from 'yaml';
import type { Plan } from '../../src/plan/plan.ts';
import { type Json, type RunningService, type ServiceRig, serviceRig } from '../support/service.ts';

/** What upstream_sources.yaml says of a build: as little as can be changed, and all of it can be fetched. */

const world = inject('demo');
let folder: string;
let rig: ServiceRig;
let service: RunningService;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tributary-sources-'));
  rig = serviceRig(world);
  service = await rig.start();
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

describe('a fork, the head of a pull request and a merge', () => {
  let plan: Plan;
  beforeAll(async () => {
    plan = await prepared({
      components: {
        'tektoncd/pipeline': 'vdemeester/tektoncd-pipeline#4636-no-override-on-propagation',
        'tektoncd/triggers': 'tektoncd/triggers#pull/1301/head',
        'tektoncd/operator': 'tektoncd/operator#1400',
      },
    });
  }, 60_000);

  test('change the lines of their entries that have to, and no other', () => {
    const pins = pinsOf('main');
    const merge = plan.lock.components['tektoncd/operator' as never] as Json;
    expect(changedLines(plan, 'main')).toEqual([
      '<   - url: https://github.com/tektoncd/pipeline',
      '<     branch: main',
      `<     commit: '${pins['tektoncd/pipeline']}'`,
      '>   - url: https://github.com/vdemeester/tektoncd-pipeline',
      '>     branch: 4636-no-override-on-propagation',
      `>     commit: '${commitOf(plan, 'tektoncd/pipeline')}'`,
      // The same repository: its spelling stays. So does what somebody noted behind the commit.
      '<     branch: main',
      `<     commit: '${pins['tektoncd/triggers']}'   # pinned by hand after the last freeze`,
      '>     branch: refs/pull/1301/head',
      `>     commit: '${commitOf(plan, 'tektoncd/triggers')}'   # pinned by hand after the last freeze`,
      '<   - url: https://github.com/tektoncd/operator',
      '<     branch: main',
      `<     commit: '${pins['tektoncd/operator']}'`,
      `>   # refs/pull/1400/head (${merge.commit.slice(0, 12)}) of https://github.com/tektoncd/operator, merged into main (${merge.base.commit.slice(0, 12)})`,
      `>   - url: ${service.url}/api/builds/${plan.tag}/git/tektoncd/operator.git`,
      '>     branch: tributary',
      `>     commit: '${commitOf(plan, 'tektoncd/operator')}'`,
    ]);
  });

  test.for([
    'tektoncd/pipeline',
    'tektoncd/triggers',
    'tektoncd/operator',
    'openshift-pipelines/pipelines-as-code',
  ])('can be fetched as written: %s', (component) => {
    const entry = entryOf(plan, component);
    expect(fetched(entry)).toBe(entry.commit);
    expect(entry.commit).toBe(commitOf(plan, component));
  });
});

describe('a pick', () => {
  let plan: Plan;
  beforeAll(async () => {
    plan = await prepared({
      release: '1.6',
      components: { 'tektoncd/pipeline': 'tektoncd/pipeline#4704' },
    });
  }, 60_000);

  test('changes the lines of its entry alone, and says what was picked onto what', () => {
    const pinned = pinsOf('pipelines-1.6')['tektoncd/pipeline'];
    const changed = changedLines(plan, 'pipelines-1.6');
    expect(changed.filter((line) => line.startsWith('<'))).toHaveLength(3);
    expect(changed.filter((line) => line.startsWith('>'))).toEqual([
      expect.stringMatching(
        `^>   # refs/pull/4704/head \\([0-9a-f]{12}\\) of https://github.com/tektoncd/pipeline, made for main, picked onto ${pinned?.slice(0, 12)}$`,
      ),
      `>   - url: ${service.url}/api/builds/${plan.tag}/git/tektoncd/pipeline.git`,
      '>     branch: tributary',
      expect.stringContaining(commitOf(plan, 'tektoncd/pipeline')),
    ]);
  });

  test('can be fetched as written, and stands on what the release pins', () => {
    const entry = entryOf(plan, 'tektoncd/pipeline');
    expect(fetched(entry)).toBe(commitOf(plan, 'tektoncd/pipeline'));
    const parent = git('rev-parse', 'FETCH_HEAD^');
    expect(parent).toBe(pinsOf('pipelines-1.6')['tektoncd/pipeline']);
  });
});

/** The plan of a build, which is cancelled once it has one: nothing need be built. */
async function prepared(request: object): Promise<Plan> {
  const { status, body } = await service.post('/api/builds', { name: 'sources', ...request });
  expect(status, JSON.stringify(body)).toBe(201);
  await service.until(body.tag, ({ kind }) => kind === 'planned');
  await service.post(`/api/builds/${body.tag}/cancel`);
  await service.ended(body.tag);
  return JSON.parse(readFileSync(join(rig.state, `runs/${body.tag}/1/plan.json`), 'utf8'));
}

function commitOf(plan: Plan, component: string): string {
  return plan.sources[component as never]?.['commit'] ?? '';
}

function entryOf({ upstreamSources }: Plan, component: string): Json {
  const name = component.split('/')[1] ?? '';
  return (parse(upstreamSources) as Json).git.find(({ url }: Json) =>
    new RegExp(`[/-]${name}(\\.git)?$`).test(url),
  );
}

function originalOf(branch: string): string {
  const repository = join(world.repositories, 'openshift-pipelines/productization.git');
  return execFileSync('git', [
    ...['-C', repository, 'show', `${branch}:upstream_sources.yaml`],
  ]).toString();
}

/** Component → commit, as the product pins them. */
function pinsOf(branch: string): Record<string, string> {
  const entries: Json[] = (parse(originalOf(branch)) as Json).git;
  return Object.fromEntries(
    entries.map(({ url, commit }) => [
      url.replace('https://github.com/', '').replace(/\.git$/, ''),
      commit,
    ]),
  );
}

/** `< ` lines that are gone and `> ` lines that are new, as diff tells them. */
function changedLines({ upstreamSources }: Plan, branch: string): string[] {
  writeFileSync(join(folder, 'before'), originalOf(branch));
  writeFileSync(join(folder, 'after'), upstreamSources);
  const diff = execFileSync('sh', ['-c', 'diff before after || test $? = 1'], { cwd: folder });
  return diff
    .toString()
    .split('\n')
    .filter((line) => /^[<>]/.test(line));
}

/** Fetches url and branch of an entry, as a user whose git knows where GitHub is; gives the commit. */
function fetched({ url, branch }: Json): string {
  git('init', '--quiet');
  git('-c', `url.${world.git}.insteadOf=https://github.com/`, 'fetch', '--quiet', url, branch);
  return git('rev-parse', 'FETCH_HEAD');
}

function git(...args: readonly string[]): string {
  return execFileSync('git', ['-C', folder, ...args], { stdio: 'pipe' })
    .toString()
    .trim();
}
