import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import {
  operator,
  pipeline,
  type SmallBuild,
  type SmallBuildOptions,
  smallBuild,
  tree,
} from '../../../test/support/small-build.ts';
import { finishBuild, verifyBuild, verifyFailures } from '../../../test/support/verify-build.ts';
import { FailureError } from '../../builds/failure.ts';
import type { FileTree } from '../../plan/file-tree.ts';
import type { MakeRun } from '../step.ts';
import { runMakefile } from './run-makefile.ts';

const makefile = {
  targets: ['sources', 'bundle/push'],
  variables: { COMPONENTS: '{components}' },
};

let build: SmallBuild;
afterEach(() => build[Symbol.asyncDispose]());

/** What a test may want otherwise of what the targets do. */
interface Doing {
  readonly kodata?: (files: FileTree) => FileTree;
  readonly csv?: (text: string) => string;
  readonly head?: string;
  /** Images that are not pushed. */
  readonly without?: readonly string[];
}

const runs: MakeRun[] = [];

async function start(doing: Doing = {}, options: SmallBuildOptions = {}): Promise<void> {
  build = await smallBuild({
    ...{ strategy: 'makefile', unconfined: true },
    ...options,
    product: { makefile, ...options.product },
  });
  runs.length = 0;
  build.make = {
    run: async (run) => {
      runs.push(run);
      await pushAll(run, doing);
    },
  };
}

/** Does what a product's Makefile does with the checkout, the payload and the remote. */
async function pushAll({ folder, variables }: MakeRun, doing: Doing): Promise<void> {
  const { REMOTE = '', TAG = '', COMPONENTS = '' } = variables;
  const push = async (name: string, files: FileTree) =>
    doing.without?.includes(name) ? '' : build.pushImage(`${REMOTE}/${name}:${TAG}`, files);
  const commit = doing.head ?? build.plan.sources[pipeline]?.commit;
  const kodata = doing.kodata?.(fetchPayload(COMPONENTS)) ?? fetchPayload(COMPONENTS);
  const digests = {
    controller: await push('controller', tree({ 'kodata/HEAD': `${commit}\n` })),
    operator: await push(
      'operator',
      new Map([...kodata].map(([path, file]) => [`kodata/${path}`, file])),
    ),
  };
  const csv = 'manifests/small.clusterserviceversion.yaml';
  const read = (path: string) => readFileSync(join(folder, 'bundle', path), 'utf8');
  const named = Object.entries(digests).reduce(
    (text, [name, digest]) =>
      text.replaceAll(
        new RegExp(`registry\\.example\\.com/product/${name}@\\S+`, 'g'),
        `${REMOTE}/${name}@${digest}`,
      ),
    read(csv),
  );
  const others = [
    'manifests/operator.example.com_smalls.yaml',
    'metadata/annotations.yaml',
  ] as const;
  const bundle = Object.fromEntries(others.map((path) => [path, read(path)]));
  await push('operator-bundle', tree({ ...bundle, [csv]: doing.csv?.(named) ?? named }));
}

/** The operator's own kodata below what the components file names. */
function fetchPayload(components: string): FileTree {
  const kodata: Record<string, string> = {
    'tekton-pipeline/00-prereconcile/scc.yaml': 'scc',
    'addons/a.yaml': 'addon',
  };
  for (const entry of Object.values(parse(readFileSync(components, 'utf8')) as object)) {
    const { version, into, ...files } = entry as Record<string, string>;
    for (const [name, path] of Object.entries(files))
      kodata[`${into}/${version}/${name}`] = readFileSync(join(components, '..', path), 'utf8');
  }
  return tree(kodata);
}

async function run(): Promise<void> {
  const step = build.plan.steps.find(({ kind }) => kind === 'makefile');
  if (step?.kind !== 'makefile') throw new Error('no makefile in the plan');
  build.outputs['makefile'] = await runMakefile(step, build.context());
  await finishBuild(build);
}

async function failure() {
  const error = await run().catch((thrown: unknown) => thrown);
  return error instanceof FailureError ? error.failures[0] : error;
}

test('the targets get remote, tag, payload, and every source from what the build exported', async () => {
  await start();
  await run();
  const [{ targets, variables, repositories, remote } = {} as MakeRun] = runs;
  expect(targets).toEqual(makefile.targets);
  expect(variables).toMatchObject({ REMOTE: build.remote, TAG: build.plan.tag });
  expect(variables['COMPONENTS']).toMatch(/\/components\.yaml$/);
  expect(remote).toBe('demo');
  expect(repositories).toEqual({
    'https://github.com/tektoncd/pipeline': 'tektoncd/pipeline.git',
    'https://github.com/tektoncd/pipeline.git': 'tektoncd/pipeline.git',
    'https://github.com/tektoncd/operator': 'tektoncd/operator.git',
    'https://github.com/tektoncd/operator.git': 'tektoncd/operator.git',
  });
});

test('verify proves the payload, and says of the images that their source is not provable', async () => {
  await start();
  await run();
  const { inclusion } = await verifyBuild(build);
  expect(inclusion.map(({ component, place, outcome }) => [component, place, outcome])).toEqual([
    [pipeline, 'image/controller', 'source-not-provable'],
    [operator, 'image/operator', 'source-not-provable'],
    [operator, 'payload', 'included'],
    [pipeline, 'payload', 'included'],
  ]);
  expect(inclusion[0]?.proof).toContain('/kodata/HEAD in the image says so too');
});

test.for<[what: string, doing: Doing, place: string, expected: RegExp]>([
  [
    'a payload that is not the one of this build',
    { kodata: (files) => new Map([...files, ...tree({ 'addons/a.yaml': 'other' })]) },
    'payload in image/operator',
    /addons\/a\.yaml/,
  ],
  [
    'an old version folder beside that of this build',
    { kodata: (files) => new Map([...files, ...tree({ 'tekton-pipeline/0.1.0/x.yaml': '' })]) },
    'payload in image/operator',
    /no such file/,
  ],
  ['a program of another commit', { head: '9'.repeat(40) }, 'image/controller', /^[0-9a-f]{40}$/],
  [
    'an image that was not pushed',
    { without: ['controller'] },
    'image/controller',
    /test-my-thing/,
  ],
  [
    'a CSV that names another image',
    {
      csv: (text) => text.replace(/controller@sha256:.{64}/, `controller@sha256:${'5'.repeat(64)}`),
    },
    'image/controller',
    /controller@sha256:/,
  ],
])('verify finds %s', async ([, doing, place, expected]) => {
  await start(doing);
  await run();
  const failures = await verifyFailures(build);
  expect(failures[0]?.about).toMatchObject({ place, expected: expect.stringMatching(expected) });
});

test('a product of which no image is described is built nonetheless, and says what is known', async () => {
  await start({}, { product: { images: {} } });
  await run();
  const { inclusion } = await verifyBuild(build);
  expect(inclusion.map(({ component, place, outcome }) => [component, place, outcome])).toEqual([
    [pipeline, 'makefile', 'source-not-provable'],
    [operator, 'makefile', 'source-not-provable'],
  ]);
});

test('targets that push no bundle fail, with the name that it should have', async () => {
  await start({ without: ['operator-bundle'] });
  expect(await failure()).toMatchObject({
    reason: 'target-failed',
    about: { reference: `${build.remote}/operator-bundle:${build.plan.tag}` },
  });
});

test('nothing runs where the configuration does not allow it, whatever the plan says', async () => {
  await start({}, { unconfined: false });
  expect(await failure()).toMatchObject({ reason: 'strategy-not-possible' });
  expect(runs).toEqual([]);
  expect(readdirSync(build.context().workdir).filter((name) => name === 'product')).toEqual([]);
});
