import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { BuildEvent } from '../../src/builds/event.ts';
import { changedRepository, type FileChanges } from '../support/broken-repository.ts';
import { startFaultyProxy } from '../support/faulty-proxy.ts';
import { digestIn } from '../support/images.ts';
import { type Json, type RunningService, type ServiceRig, serviceRig } from '../support/service.ts';

/** Products that are wrong in many ways at once: everything is told, with its place, before anything runs. */

const request = { name: 'broken', components: { 'tektoncd/pipeline': 'tektoncd/pipeline#4638' } };
const container = (name: string) => `distgit/containers/openshift-pipelines-${name}`;

/** A rig whose product file and repository are the demo's with mistakes. */
function brokenRig(
  mistakes: readonly (readonly [from: string, to: string])[],
  files: FileChanges,
  configuration: Readonly<Record<string, unknown>> = {},
) {
  const world = inject('demo');
  const url = changedRepository(world, files);
  const product = ({ product: file }: { readonly product: string }) =>
    [['https://github.com/openshift-pipelines/productization', url] as const, ...mistakes].reduce(
      (text, [from, to]) => {
        expect(text).toContain(from);
        return text.replace(from, to);
      },
      readFileSync(file, 'utf8'),
    );
  return serviceRig(world, configuration, { product });
}

const detailsOf = (failures: readonly Json[]): string[] => failures.map(({ detail }) => detail);
/** The details in any order: each begins with its place. */
function expectAll(details: readonly string[], expected: readonly RegExp[]): void {
  for (const pattern of expected) expect(details.join('\n')).toMatch(pattern);
  expect(details, details.join('\n')).toHaveLength(expected.length);
}

describe('a product that is wrong in every way', () => {
  const inRepository = [
    /^product\.yaml:\d+: image openshift-pipelines-webhook is to be built from .* no such folder/m,
    /^product\.yaml:\d+: image openshift-pipelines-entrypoint is to be built from .*Dokcerfile/m,
    /^distgit\/containers\/openshift-pipelines-triggers-controller: it is no image of product\.yaml/m,
    /^distgit\/containers\/openshift-pipelines-resolvers\/Dockerfile:1: it has no FROM/m,
    /^distgit\/containers\/openshift-pipelines-controller\/Dockerfile:\d+: "\$NOTHING" names no image/m,
    /^product\.yaml:\d+: the patches of tektoncd\/triggers are to be in patches\/none/m,
    /^patches\/pipeline\/0002-.*\.patch:1: the patch of tektoncd\/pipeline .*holds no change/m,
    /^product\.yaml:\d+: openshift-pipelines-resolvers is said to be in the CSV as environment variable NOWHERE/m,
    /^distgit\/.*clusterserviceversion\.yaml:\d+: .*triggers-controller.*container .*-lifecycle .*neither an image/m,
    /^distgit\/.*clusterserviceversion\.yaml:\d+: .*triggers-controller.*container .*-operations .*neither an image/m,
    /^distgit\/.*clusterserviceversion\.yaml:\d+: .*triggers-controller.*relatedImages .*neither an image/m,
    /^upstream_sources\.yaml:\d+: `commit` must be a full SHA/m,
    /^upstream_sources\.yaml:1: no entry is of tektoncd\/chains/m,
  ];
  const outside = [
    /^product\.yaml:\d+: the payload input config\/none does not exist in tektoncd\/pipeline/m,
    /^config\/.*\.yaml:\d+: no image of the product is ko:\/\/github\.com\/tektoncd\/triggers\/cmd\/controller/m,
    /^product\.yaml:\d+: openshift-pipelines\/pipelines-as-code has no file hack\/none\.sh/m,
    /^product\.yaml:\d+: the base image registry\.example\.com\/base\/none:1 does not exist/m,
    /^distgit\/containers\/openshift-pipelines-controller\/Dockerfile:\d+: the base image registry\.example\.com\/base\/gone:1/m,
    /^product\.yaml:\d+: the build of openshift-pipelines-resolvers needs the network/m,
  ];
  const told = [...inRepository, ...outside];
  let rig: ServiceRig;
  let service: RunningService;
  beforeAll(async () => {
    rig = brokenRig(
      [
        [
          '  openshift-pipelines-triggers-controller:\n    context: distgit/containers/openshift-pipelines-triggers-controller\n    of: [tektoncd/triggers]\n    go: github.com/tektoncd/triggers/cmd/controller\n    csv: [IMAGE_TRIGGERS_TEKTON_TRIGGERS_CONTROLLER]\n',
          '',
        ],
        ['components:\n', 'components:\n  tektoncd/chains: {}\n'],
        [
          `context: ${container('entrypoint')}\n`,
          `context: ${container('entrypoint')}\n    dockerfile: Dokcerfile\n`,
        ],
        ['patches/triggers', 'patches/none'],
        ['csv: [IMAGE_PIPELINES_CONTROLLER]', 'csv: [IMAGE_PIPELINES_CONTROLLER, NOWHERE]'],
        ['cmd/resolvers\n', 'cmd/resolvers\n    network: true\n'],
        [
          'inputs: [{path: config, recursive: true}]',
          'inputs: [{path: config, recursive: true}, {path: config/none}]',
        ],
        [
          'run: [hack/release.sh]\n      image: registry.example.com/base/runtime:1',
          'run: [hack/none.sh]\n      image: registry.example.com/base/none:1',
        ],
      ],
      {
        [container('webhook')]: null,
        [`${container('resolvers')}/Dockerfile`]: () => '# none\n',
        [`${container('controller')}/Dockerfile`]: (text) =>
          `${text}FROM registry.example.com/base/gone:1\nFROM $NOTHING\n`,
        'patches/pipeline/0002-Give-slow-clients-more-time.patch': () => 'to be written\n',
        'upstream_sources.yaml': (text) =>
          text.replace(/(tektoncd\/operator\n.*\n *commit: ).*/, '$1main'),
      },
    );
    service = await rig.start();
  });
  afterAll(() => rig[Symbol.asyncDispose]());

  test('is refused once, with all of it, and there is no build', async () => {
    const { status, body } = await service.post('/api/builds', request);
    expect({ status, type: body.type }).toEqual({ status: 422, type: 'urn:tributary:bad-product' });
    expectAll(detailsOf(body.problems), told);
    for (const { hint, about } of body.problems) {
      expect(hint).not.toBe('');
      expect(about.file).toBeDefined();
    }
    const again = await service.post('/api/builds', request);
    expect(again.body.problems).toEqual(body.problems);
    expect((await service.get('/api/builds')).body.builds).toEqual([]);
  });

  test('plan says the same, over HTTP and by itself', async () => {
    const { status, body } = await service.post('/api/plan', request);
    expect(status).toBe(422);
    expectAll(detailsOf(body.problems), told);
    const { exitCode, stderr } = await rig.cli('plan', 'tektoncd/pipeline#4638');
    expect(exitCode).toBe(3);
    for (const pattern of told) expect(stderr).toMatch(new RegExp(pattern.source.slice(1)));
  });

  test('doctor says the same of the release', async () => {
    const { exitCode, stdout } = await rig.cli('doctor', '--json');
    expect(exitCode).toBe(4);
    const checks = JSON.parse(stdout).checks as Json[];
    expectAll(detailsOf(checks.filter(({ name }) => name === 'release nightly')), told);
  });

  test('who names a ref that is not there hears of that, and of the repository', async () => {
    const components = { 'tektoncd/pipeline': 'tektoncd/pipeline#99999' };
    const { status, body } = await service.post('/api/builds', { ...request, components });
    expect(status).toBe(422);
    expectAll(detailsOf(body.problems), [...inRepository, /99999/]);
  });
});

test('where a registry is silent, the refusal comes in time with what the repository tells', async () => {
  await using registry = await startFaultyProxy(inject('demo').registry.replace(/\/.*/, ''));
  registry.script(() => ({ kind: 'hang' }));
  await using rig = brokenRig(
    [['inputs: [{path: config, recursive: true}]', 'inputs: [{path: config/none}]']],
    { [container('webhook')]: null },
    { mirrors: { 'registry.example.com': registry.host }, limits: { 'answer-seconds': 4 } },
  );
  const service = await rig.start();
  // The first one may spend its time on fetching from git.
  await service.post('/api/builds', request);
  const began = Date.now();
  const { status, body } = await service.post('/api/builds', request);
  expect(Date.now() - began).toBeLessThan(9000);
  expect(status).toBe(422);
  expectAll(detailsOf(body.problems), [/image openshift-pipelines-webhook is to be built from/]);
  expect(registry.seen).not.toEqual([]);
});

describe('a product that does not fit its components', () => {
  const told = [
    /^product\.yaml:\d+: the payload input config\/none does not exist in tektoncd\/pipeline/m,
    /^config\/.*\.yaml:\d+: no image of the product is ko:\/\/github\.com\/tektoncd\/triggers\/cmd\/controller/m,
    /^product\.yaml:\d+: openshift-pipelines\/pipelines-as-code has no file hack\/none\.sh/m,
    /^product\.yaml:\d+: the payload input kodata\/none does not exist in tektoncd\/operator/m,
    /^product\.yaml:\d+: the base image registry\.example\.com\/base\/none:1 does not exist/m,
    /^distgit\/containers\/openshift-pipelines-webhook\/Dockerfile:\d+: the base image registry\.example\.com\/base\/gone:1/m,
    /^product\.yaml:\d+: the build of openshift-pipelines-webhook needs the network/m,
  ];
  let rig: ServiceRig;
  beforeAll(() => {
    rig = brokenRig(
      [
        [
          'inputs: [{path: config, recursive: true}]',
          'inputs: [{path: config, recursive: true}, {path: config/none}]',
        ],
        ['    go: github.com/tektoncd/triggers/cmd/controller\n', ''],
        [
          'run: [hack/release.sh]\n      image: registry.example.com/base/runtime:1',
          'run: [hack/none.sh]\n      image: registry.example.com/base/none:1',
        ],
        ['cmd/openshift/operator/kodata', 'kodata/none'],
        ['cmd/webhook\n', 'cmd/webhook\n    network: true\n'],
      ],
      {
        [`${container('webhook')}/Dockerfile`]: (text) =>
          `${text}FROM registry.example.com/base/gone:1\n`,
      },
    );
  });
  afterAll(() => rig[Symbol.asyncDispose]());

  test('fails in prepare with everything that is wrong, and no other step begins', async () => {
    const service = await rig.start();
    const { status, body } = await service.post('/api/builds', request);
    expect(status).toBe(201);
    const events: BuildEvent[] = [];
    await service.until(body.tag, (event) => {
      events.push(event);
      return event.kind === 'failed';
    });
    const [failed] = events.flatMap((event) => (event.kind === 'step-failed' ? [event] : []));
    expect(failed).toMatchObject({ step: 'prepare' });
    expectAll(detailsOf(failed?.failures ?? []), told);
    const begun = events.flatMap((event) => (event.kind === 'step-started' ? [event.step] : []));
    expect(begun).toEqual(['prepare', 'report']);
    expect(digestIn(`${rig.remote}/tributary:${body.tag}-plan`)).toBeUndefined();
    await service.stop();
  });

  test('plan and doctor say the same', async () => {
    const planned = await rig.cli('plan', 'tektoncd/pipeline#4638');
    for (const pattern of told) expect(planned.stderr).toMatch(new RegExp(pattern.source.slice(1)));
    const examined = await rig.cli('doctor', '--json');
    const checks = JSON.parse(examined.stdout).checks as Json[];
    expectAll(detailsOf(checks.filter(({ name }) => name === 'release nightly')), told);
  });
});
