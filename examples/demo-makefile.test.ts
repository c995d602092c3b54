import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeRepositories } from './make-repositories.ts';

let root: string;
let environment: NodeJS.ProcessEnv;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'demo-makefile-'));
  makeRepositories(join(root, 'repositories'));
  // The same rewrite as over HTTP, only that no server is needed.
  environment = {
    ...process.env,
    MAKEFLAGS: '',
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: `url.${root}/repositories/.insteadOf`,
    GIT_CONFIG_VALUE_0: 'https://github.com/',
  };
}, 30_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('sources fetches what is pinned, and patches pipeline alone', () => {
  const tree = clone('sources');
  make(tree, 'sources');
  expect(head(tree, 'pipeline')).toBe(upstream('tektoncd/pipeline', 'main~1'));
  expect(head(tree, 'operator')).toBe(upstream('tektoncd/operator', 'main'));
  expect(git(tree, '-C', 'sources/pipeline', 'diff', '--name-only').split('\n')).toEqual([
    'pkg/product/product.go',
    'pkg/server/server.go',
  ]);
  expect(git(tree, '-C', 'sources/triggers', 'status', '--porcelain')).toBe('');
  // Again: nothing is fetched, and nothing patched twice.
  expect(make(tree, 'sources')).toContain(`sources/pipeline is at ${head(tree, 'pipeline')}`);
}, 30_000);

test('sources/upgrade moves pins to the heads of their branches, but static ones', () => {
  const tree = clone('upgrade');
  make(tree, 'sources/pipeline/upgrade');
  const from = upstream('tektoncd/pipeline', 'main~1');
  const to = upstream('tektoncd/pipeline', 'main');
  const lines = git(tree, 'diff', '--unified=0', 'upstream_sources.yaml').split('\n').slice(-2);
  expect(lines).toEqual([`-    commit: '${from}'`, `+    commit: '${to}'`]);
  expect(head(tree, 'pipeline')).toBe(to);
  expect(make(tree, 'sources/upgrade')).toContain('pipelines-as-code: static, stays where it is');
}, 30_000);

test('the other release fetches from its release branches', () => {
  const tree = clone('release', 'pipelines-1.6');
  make(tree, 'sources');
  expect(head(tree, 'pipeline')).toBe(upstream('tektoncd/pipeline', 'release-v0.68.x'));
  expect(head(tree, 'triggers')).toBe(upstream('tektoncd/triggers', 'release-v0.30.x'));
}, 30_000);

test("fetch-payload puts the operator's kodata into both containers", () => {
  const tree = clone('payload');
  make(tree, 'sources/operator/fetch-payload');
  const expected = files(join(tree, 'sources/operator/cmd/openshift/operator/kodata'));
  expect(expected).toContain('tekton-pipeline/0.69.0/00-pipelines.yaml');
  for (const image of ['openshift-pipelines-operator', 'openshift-pipelines-operator-webhook']) {
    expect(files(join(tree, 'distgit/containers', image, 'kodata'))).toEqual(expected);
  }
}, 30_000);

test('fetch-payload takes releases of local paths, in place of what was there', () => {
  const tree = clone('components');
  const local = join(root, 'local');
  mkdirSync(local);
  writeFileSync(join(local, 'mine.yaml'), 'a: 1\n');
  writeFileSync(
    join(local, 'components.yaml'),
    `pipeline: # mine\n  version: 0.70.0-t1a2b3c\n  into: tekton-pipeline\n  00-pipelines.yaml: mine.yaml\ntriggers:\n  version: 0.32.0\n  into: tekton-trigger\n  00-triggers.yaml: ${local}/mine.yaml\n`,
  );
  make(tree, 'sources/operator/fetch-payload', `COMPONENTS=${local}/components.yaml`);
  const kodata = join(tree, 'distgit/containers/openshift-pipelines-operator/kodata');
  expect(files(kodata)).toEqual([
    'pipelines-as-code/0.41.0/release.yaml',
    'tekton-addon/1.0.0/addons.yaml',
    'tekton-pipeline/0.70.0-t1a2b3c/00-pipelines.yaml',
    'tekton-pipeline/00-prereconcile/pipelines-scc.yaml',
    'tekton-trigger/0.32.0/00-triggers.yaml',
  ]);
  expect(
    readFileSync(join(kodata, 'tekton-pipeline/0.70.0-t1a2b3c/00-pipelines.yaml'), 'utf8'),
  ).toBe('a: 1\n');
}, 30_000);

test('patches lie beside the Dockerfiles that apply them, and nowhere else', () => {
  const tree = clone('patches');
  make(tree, 'patches');
  const folder = join(tree, 'distgit/containers');
  const patched = readdirSync(folder).filter((image) =>
    existsSync(join(folder, image, 'patches/0001-Accept-larger-events.patch')),
  );
  expect(patched).toEqual([
    'openshift-pipelines-triggers-controller',
    'openshift-pipelines-triggers-eventlistenersink',
  ]);
});

test('a product without patches builds without them', () => {
  const tree = clone('unpatched');
  rmSync(join(tree, 'patches'), { recursive: true });
  make(tree, 'patches', 'sources/pipeline/fetch');
  expect(git(tree, '-C', 'sources/pipeline', 'status', '--porcelain')).toBe('');
});

describe('bundle/push', () => {
  const base = (name: string) => `127.0.0.1:5000/base/${name}:1`;
  let tree: string;
  let calls: string[];

  /** What buildah was asked to do, on the fetched sources. */
  const push = (...variables: string[]): string[] => {
    writeFileSync(join(tree, 'calls'), '');
    make(tree, 'bundle/push', 'REMOTE=r.example.com/me', 'TAG=t1', ...variables);
    return readFileSync(join(tree, 'calls'), 'utf8').trim().split('\n');
  };
  const images = () => calls.filter((call) => call.includes('Dockerfile'));

  beforeAll(() => {
    tree = clone('push');
    writeBuildah(join(tree, 'bin'));
    calls = push('BASES=127.0.0.1:5000', 'TLS_VERIFY=false');
  }, 30_000);

  test('pulls each base image once, before anything is built', () => {
    const pulls = calls.filter((call) => call.startsWith('pull '));
    expect(pulls.map((call) => call.split(' ').at(-1)).toSorted()).toEqual([
      base('go-toolset'),
      base('runtime'),
    ]);
    expect(calls.slice(0, 2)).toEqual(pulls);
    expect(images()).toHaveLength(9);
    for (const call of images()) expect(call).toContain('--pull=false');
  });

  test('copies no source: the context of an image is links', () => {
    const [one, other] = [
      'sources/pipeline',
      '.build/openshift-pipelines-webhook/remote-source/app',
    ];
    const inode = (folder: string) => statSync(join(tree, folder, 'go.mod')).ino;
    expect(inode(one)).toBe(inode(other));
  });

  test('says how to reach a registry only where it is told', () => {
    const talks = (call: string) => /^(pull|push) /.test(call);
    for (const call of calls.filter(talks)) expect(call).toContain('--tls-verify=false');
    expect(push().join('\n')).not.toContain('tls-verify');
  });

  test('keeps what Go compiled where CACHE says, and nowhere else', () => {
    for (const call of images()) expect(call).not.toContain('--volume');
    calls = push('CACHE=cache');
    for (const call of images())
      expect(call).toContain(`--volume ${join(tree, 'cache')}:/var/cache/go-build`);
  });

  test('puts every image into the CSV by its digest, whether the CSV had a digest or a tag', () => {
    const from = join(tree, 'distgit/containers/openshift-pipelines-operator-bundle/manifests');
    const name = 'openshift-pipelines-operator-rh.clusterserviceversion.yaml';
    const text = readFileSync(join(from, name), 'utf8');
    writeFileSync(join(from, name), text.replace(/@sha256:[0-9a-f]*/, ':devel'));
    push();
    const made = readFileSync(
      join(tree, '.build/openshift-pipelines-operator-bundle/manifests', name),
      'utf8',
    );
    expect(made).not.toContain('registry.example.com/openshift-pipelines/');
    expect(made).toContain('r.example.com/me/openshift-pipelines-operator-webhook@sha256:0123');
  });
});

test('a commit that is not there fails the target', () => {
  const tree = clone('failure');
  const file = join(tree, 'upstream_sources.yaml');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace(upstream('tektoncd/pipeline', 'main~1'), '1'.repeat(40)));
  expect(() => make(tree, 'sources/pipeline/fetch')).toThrow();
});

/** A buildah that notes what it is asked for, and pushes nothing. */
function writeBuildah(folder: string): void {
  mkdirSync(folder);
  const script = [
    '#!/bin/sh',
    `echo "$@" >>${folder}/../calls`,
    'while [ $# -gt 0 ]; do [ "$1" != --digestfile ] || echo sha256:0123 >"$2"; shift; done',
  ];
  writeFileSync(join(folder, 'buildah'), `${script.join('\n')}\n`, { mode: 0o755 });
}

function clone(name: string, branch = 'main'): string {
  const tree = join(root, name);
  git(
    root,
    'clone',
    '-q',
    '-b',
    branch,
    'https://github.com/openshift-pipelines/productization',
    tree,
  );
  return tree;
}

function make(tree: string, ...args: string[]): string {
  return execFileSync('make', args, {
    cwd: tree,
    encoding: 'utf8',
    env: { ...environment, PATH: `${join(tree, 'bin')}:${process.env['PATH']}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function head(tree: string, component: string): string {
  return git(tree, '-C', `sources/${component}`, 'rev-parse', 'HEAD');
}

function upstream(repository: string, ref: string): string {
  return git(join(root, 'repositories', `${repository}.git`), 'rev-parse', ref);
}

function git(cwd: string, ...args: string[]): string {
  return execFileSync('git', args, { cwd, encoding: 'utf8', env: environment }).trim();
}

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}
