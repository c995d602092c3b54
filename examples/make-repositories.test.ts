import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { withFurtherProduct } from './demo/further-components.ts';
import { histories, mirrored } from './demo/history.ts';
import { patchedBranches, pullRequests } from './demo/pull-requests.ts';
import { makeRepositories } from './make-repositories.ts';

let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'demo-repositories-'));
  makeRepositories(join(root, 'one'));
}, 30_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const names = [...histories.map(({ name }) => name), ...Object.keys(mirrored)];

test('making them twice gives the same commits, in place of what was there', () => {
  const before = names.map(refsOf);
  makeRepositories(join(root, 'one'));
  expect(names.map(refsOf)).toEqual(before);
}, 30_000);

test('of real size, every program takes all generated kinds along', () => {
  makeRepositories(join(root, 'real'), 'real');
  const real = join(root, 'real/tektoncd/pipeline.git');
  const listed = execFileSync('git', ['-C', real, 'ls-tree', '-r', '--name-only', 'main'], {
    encoding: 'utf8',
  }).split('\n');
  expect(listed.filter((path) => path.endsWith('zz_generated.apis.go'))).toHaveLength(4);
  expect(listed.filter((path) => path.startsWith('pkg/apis/'))).toHaveLength(101);
});

test('of real size, every image has its Dockerfile, its make target and its places in the CSV, and each component its pin', () => {
  const show = (path: string) =>
    execFileSync(
      'git',
      ['-C', join(root, 'real/openshift-pipelines/productization.git'), 'show', `main:${path}`],
      { encoding: 'utf8' },
    );
  const text = readFileSync(join(import.meta.dirname, 'demo/product.yaml'), 'utf8');
  const product = parse(withFurtherProduct(text)) as {
    images: Record<string, { context: string; csv: unknown }>;
    components: Record<string, unknown>;
  };
  expect(Object.keys(product.images)).toHaveLength(22);
  expect(Object.keys(product.components)).toHaveLength(10);
  const makefile = show('Makefile');
  const csv = show(
    'distgit/containers/openshift-pipelines-operator-bundle/manifests/openshift-pipelines-operator-rh.clusterserviceversion.yaml',
  );
  for (const [image, { context }] of Object.entries(product.images)) {
    expect(show(`${context}/Dockerfile`)).toContain('FROM ');
    expect(makefile).toMatch(new RegExp(`_IMAGES = (.* )?${image}( |$)`, 'm'));
    expect(csv.split(`/${image}@sha256:`).length).toBeGreaterThan(2);
  }
  const pins = show('upstream_sources.yaml');
  for (const component of Object.keys(product.components))
    expect(pins).toMatch(new RegExp(`url: https://github.com/${component}(\\.git)?\\n`));
});

test('the newest commit on main is the folder of the repository', () => {
  const tree = git('tektoncd/pipeline', 'show', 'main:cmd/controller/greeting.go');
  const file = 'demo/upstream/pipeline/cmd/controller/greeting.go';
  expect(`${tree}\n`).toBe(readFileSync(join(import.meta.dirname, file), 'utf8'));
});

test.for(pullRequests)('$repository#$number merges into $base: $merges', (pull) => {
  const { repository, number, base, merges } = pull;
  const head = git(repository, 'rev-parse', `refs/pull/${number}/head`);
  expect(merged(repository, base, head)).toBe(merges);
  expect(parentsOfMerge(repository, number)).toEqual(
    merges ? [git(repository, 'rev-parse', base), head] : [],
  );
});

test.for(pullRequests.filter(({ base }) => base === 'main'))(
  'main has moved since $repository#$number was opened',
  ({ repository, number }) => {
    const ahead = git(repository, 'rev-list', '--count', `refs/pull/${number}/head..main`);
    expect(Number(ahead)).toBeGreaterThan(0);
  },
);

test('a pull request keeps its author, its date and its message', () => {
  const shown = git('tektoncd/pipeline', 'log', '-1', '--format=%an|%as|%B', 'refs/pull/4638/head');
  expect(shown).toBe(
    'Vera Upstream|2026-02-01|Let a pipeline have a display name\n\nThe controller shows it; the API server has to keep it.',
  );
});

test.for(patchedBranches)('$repository has a branch $branch of its own', (one) => {
  const parent = histories.find(({ name }) => name === one.repository)?.forkOf ?? '';
  const head = git(one.repository, 'rev-parse', `refs/heads/${one.branch}`);
  expect(succeeds(path(parent), ['cat-file', '-e', head], '')).toBe(false);
});

test.for(Object.entries(mirrored))('%s is what %s was', ([alias, name]) => {
  expect(refsOf(alias)).toBe(refsOf(name));
});

describe('the downstream patches', () => {
  test.for([
    { ref: 'main', state: ['applies', 'applies'] },
    { ref: 'release-v0.68.x', state: ['applies', 'applies'] },
    { ref: 'refs/pull/4702/head', state: ['applies', 'contained'] },
    { ref: 'refs/pull/4706/head', state: ['applies', 'conflicts'] },
  ])('on $ref of tektoncd/pipeline: $state', ({ ref, state }) => {
    expect(patchStates('tektoncd/pipeline', ref, 'patches/pipeline')).toEqual(state);
  });

  test.for([
    { ref: 'main', state: ['applies'] },
    { ref: 'release-v0.30.x', state: ['applies'] },
    { ref: 'refs/pull/1302/head', state: ['contained'] },
  ])('on $ref of tektoncd/triggers: $state', ({ ref, state }) => {
    expect(patchStates('tektoncd/triggers', ref, 'patches/triggers')).toEqual(state);
  });
});

test('the README tells of every pull request and branch', () => {
  const readme = readFileSync(join(import.meta.dirname, 'demo/README.md'), 'utf8');
  for (const { repository, number } of pullRequests) {
    expect(readme).toContain(`\`${repository}#${number}\``);
  }
  for (const { repository, branch } of patchedBranches) {
    expect(readme).toContain(`\`${repository}#${branch}\``);
  }
});

test('the two releases pin commits of the branches that they track', () => {
  for (const [branch, tracked] of [
    ['main', 'main'],
    ['pipelines-1.6', 'release-v0.68.x'],
  ] as const) {
    const file = git(
      'openshift-pipelines/productization',
      'show',
      `${branch}:upstream_sources.yaml`,
    );
    const commit = /pipeline\n {4}branch: (.*)\n {4}commit: '([0-9a-f]{40})'/.exec(file);
    expect(commit?.[1]).toBe(tracked);
    expect(git('tektoncd/pipeline', 'branch', '--contains', commit?.[2] ?? '')).toContain(tracked);
  }
});

function patchStates(repository: string, ref: string, folder: string): string[] {
  const tree = join(root, `tree-${repository}-${ref}`.replaceAll('/', '-'));
  execFileSync('git', ['clone', '-q', '--no-checkout', path(repository), tree]);
  execFileSync('git', ['-C', tree, 'fetch', '-q', 'origin', ref]);
  execFileSync('git', ['-C', tree, 'checkout', '-q', 'FETCH_HEAD']);
  const patches = git(
    'openshift-pipelines/productization',
    'ls-tree',
    '--name-only',
    'main',
    `${folder}/`,
  );
  return patches.split('\n').map((name) => {
    const patch = git('openshift-pipelines/productization', 'show', `main:${name}`);
    const applies = (...args: string[]) =>
      succeeds(tree, ['apply', '--check', ...args, '-'], `${patch}\n`);
    return applies() ? 'applies' : applies('--reverse') ? 'contained' : 'conflicts';
  });
}

function succeeds(cwd: string, args: readonly string[], input: string): boolean {
  try {
    execFileSync('git', args, { cwd, input, stdio: ['pipe', 'ignore', 'ignore'] });
    return true;
  } catch {
    return false;
  }
}

function merged(repository: string, base: string, head: string): boolean {
  return succeeds(path(repository), ['merge-tree', '--write-tree', base, head], '');
}

/** Parents of a pull request's merge commit; none where there is no such ref. */
function parentsOfMerge(repository: string, number: number): string[] {
  const refs = refsOf(repository);
  if (!refs.includes(`refs/pull/${number}/merge`)) return [];
  return git(repository, 'rev-parse', `refs/pull/${number}/merge^@`).split('\n');
}

function refsOf(repository: string): string {
  return git(repository, 'for-each-ref', '--format=%(objectname) %(refname)');
}

function git(repository: string, ...args: string[]): string {
  return execFileSync('git', args, { cwd: path(repository), encoding: 'utf8' }).trim();
}

function path(repository: string): string {
  const folder = join(root, 'one', `${repository}.git`);
  if (!existsSync(folder)) throw new Error(`${repository} was not made.`);
  return folder;
}
