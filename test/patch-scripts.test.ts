import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createBuilder } from '../src/adapters/builder/buildah.ts';
import { createGit } from '../src/adapters/git/git-command.ts';
import { createMirrors } from '../src/adapters/git/git-mirrors.ts';
import { openShelf } from '../src/adapters/storage/shelf.ts';
import { Configuration } from '../src/config/config.ts';
import type { PatchPolicy } from '../src/plan/lock.ts';
import type { ComponentName, TreeSha } from '../src/plan/names.ts';
import { patchFiles } from '../src/product/patch-files.ts';
import type { Mirror } from '../src/resolve/git-interface.ts';
import { applyPatches } from '../src/steps/prepare/apply-patches.ts';
import { createRepository } from './support/git-repository.ts';
import { type OpenHostileWorld, openHostileWorld } from './support/hostile/world.ts';
import { tree } from './support/small-product.ts';

/** Downstream patches that are scripts, in the real sandbox, on a real repository. */

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const component = 'tektoncd/pipeline' as ComponentName;
const image = 'registry.example.com/base/tools:1';
const rule = { dir: 'patches', 'applied-by': 'tributary', image } as const;
let world: OpenHostileWorld;
let mirror: Mirror;
let source: { tree: TreeSha; ref: string };

beforeAll(async () => {
  world = await openHostileWorld();
  const repository = await createRepository(join(world.folder, 'upstream'));
  const commit = await repository.commit('start', { name: 'tekton\n', old: 'x\n', 'dir/f': '1\n' });
  const git = createGit({ urls: {}, credentials: {}, protocols: ['file'] });
  const mirrors = createMirrors(git, openShelf(join(world.folder, 'm')), join(world.folder, 'w'));
  mirror = await mirrors.mirror(repository.url);
  await mirror.fetch(repository.url, [commit]);
  source = { tree: await mirror.treeOf(commit), ref: 'main' };
});
afterAll(() => world.close());

const product = tree({
  'patches/0001-a.patch':
    'diff --git a/name b/name\n--- a/name\n+++ b/name\n@@ -1 +1 @@\n-tekton\n+pipelines\n',
  'patches/0002-rename.sh':
    'sed -i "s/pipelines/OpenShift &/" name; rm old; rm -r dir; echo f >dir; mkdir new; echo "#!/bin/sh" >new/run; busybox chmod +x new/run; busybox ln -s run new/link',
  'patches/0003-again.sh': 'sed -i "s/tekton/pipelines/" name; touch name',
  'patches/0004-left-out.sh': 'exit 1',
  'patches/README.md': 'not a patch',
});

async function apply(files: typeof product, policy?: PatchPolicy) {
  const configuration = Configuration.parse({ remotes: { demo: { push: world.registry } } });
  const builder = await createBuilder(configuration, { state: world.state });
  const plan = { bases: { [image]: world.base }, lock: { platforms: ['linux/amd64' as const] } };
  return applyPatches(component, rule, policy, files, source, mirror, {
    ...{ builder, workdir: world.folder, plan },
    ...{ log: () => {}, signal: new AbortController().signal },
  });
}

test('scripts run in order among the patches; their tree is what is built', async () => {
  const {
    tree: made,
    reports,
    failures,
    left,
  } = await apply(product, { skip: ['0004-left-out.sh'] });
  expect({ failures, left }).toEqual({ failures: [], left: [] });
  expect(reports.map(({ patch, outcome }) => `${patch}: ${outcome}`)).toEqual([
    '0001-a.patch: applied',
    '0002-rename.sh: applied',
    '0003-again.sh: contained',
    '0004-left-out.sh: bypassed',
  ]);
  const { files } = await mirror.files(made);
  const listed = [...files].map(([path, { mode, content }]) => `${mode} ${path} ${content}`);
  expect(listed.sort()).toEqual([
    '100644 dir f\n',
    '100644 name OpenShift pipelines\n',
    '100755 new/run #!/bin/sh\n',
    '120000 new/link run',
  ]);
});

test('a script that fails stops the build, with its last lines and the way around it', async () => {
  const { failures } = await apply(
    tree({ 'patches/0001-bad.sh': 'echo no such field >&2; exit 3' }),
  );
  expect(failures).toEqual([
    expect.objectContaining({
      reason: 'patch-conflict',
      detail: 'The downstream patch script 0001-bad.sh of tektoncd/pipeline fails on main.',
      hint: expect.stringContaining('"patches": {"tektoncd/pipeline": {"skip": ["0001-bad.sh"]}}'),
      about: expect.objectContaining({ output: expect.arrayContaining(['no such field']) }),
    }),
  ]);
});

test('without an image, scripts are no patches', () => {
  const names = patchFiles(product, { dir: 'patches' }).map(([name]) => name);
  expect(names).toEqual(['0001-a.patch']);
});
