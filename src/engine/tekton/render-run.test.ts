import { expect, test } from 'vitest';
import { demoBuild } from '../../../test/support/demo-build.ts';
import { Tekton, taskKinds } from '../../config/tekton.ts';
import type { ComponentName } from '../../plan/names.ts';
import { renderPipelineSpec } from './render-pipeline.ts';
import { type RunOptions, renderRun } from './render-run.ts';
import { renderTasks } from './render-tasks.ts';

const image = 'registry.example.com/tributary@sha256:1';

function options(settings: object = {}, more: Partial<RunOptions> = {}): RunOptions {
  return {
    attempt: 1,
    now: new Date(0),
    settings: Tekton.parse({ image, ...settings }),
    namespace: 'builds',
    url: 'https://tributary.example.com',
    submission: 'this call',
    ...more,
  };
}

test('a run tells people and machines which build it is', () => {
  const { metadata } = renderRun(demoBuild(), options());
  expect(metadata).toMatchObject({
    name: expect.stringMatching(/^build-operator-bundle-[0-9a-f]{7}$/),
    namespace: 'builds',
    labels: {
      'tributary.dev/tag': expect.stringMatching(/^test-my-thing-[0-9a-f]{6}$/),
      'tributary.dev/name': 'test-my-thing',
      'tributary.dev/attempt': '1',
      'tributary.dev/requester': 'someone',
      'component.tributary.dev/tektoncd.pipeline': 'true',
    },
    annotations: {
      'tributary.dev/link': expect.stringMatching(
        /^https:\/\/tributary\.example\.com\/api\/builds\/test-my-thing-[0-9a-f]{6}$/,
      ),
      'tributary.dev/lock-digest': expect.stringMatching(/^sha256:/),
    },
  });
});

test('a further attempt is a further run', () => {
  const { metadata } = renderRun(demoBuild(), options({}, { attempt: 3 }));
  expect(metadata.name).toMatch(/-r3$/);
  expect(metadata.labels?.['tributary.dev/attempt']).toBe('3');
});

test('what is no label value becomes one that tells it apart', () => {
  const build = demoBuild();
  const requester = 'system:serviceaccount:builds:somebody@example.com';
  const component = `${'o'.repeat(60)}/${'r'.repeat(60)}` as ComponentName;
  const [reading] = Object.values(build.read);
  const read = { [component]: reading } as typeof build.read;
  const { metadata } = renderRun({ ...build, requester, read }, options());
  const labels = Object.entries(metadata.labels ?? {});
  for (const [key, value] of labels) {
    expect(key.split('/').at(-1)).toMatch(/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/);
    expect(value).toMatch(/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/);
  }
  expect(metadata.annotations?.['tributary.dev/requester']).toBe(requester);
  const other = renderRun({ ...build, requester: `${requester}.org`, read }, options());
  expect(other.metadata.labels?.['tributary.dev/requester']).not.toBe(
    metadata.labels?.['tributary.dev/requester'],
  );
});

test('nothing that people wrote is read by Tekton, Kubernetes or a shell', () => {
  const build = demoBuild();
  const ref = '$(params.image) $(TRIBUTARY_LOCK) $(touch /tmp/x) `id`';
  const [component = ''] = Object.keys(build.read);
  const read = { [component]: { ...build.read[component], ref } } as typeof build.read;
  const { spec } = renderRun({ ...build, read }, options());
  for (const { value } of spec.params) expect(value).not.toContain('$');
  const param = spec.params.find(({ name }) => name === 'build');
  expect(JSON.parse(param?.value ?? '').read[component].ref).toBe(ref);
  for (const task of renderTasks()) expect(JSON.stringify(task)).not.toContain('"script"');
});

test('the report is told what a record says of an attempt', () => {
  const { spec } = renderRun(demoBuild(), options({}, { attempt: 2 }));
  const param = spec.params.find(({ name }) => name === 'build');
  const at = new Date(0).toISOString();
  const told = { attempt: 2, createdAt: at, startedAt: at, requester: 'someone' };
  expect(JSON.parse(param?.value ?? '')).toMatchObject(told);
});

test('the configuration of each kind of task is on its pods, and no pod has a token', () => {
  const tolerations = [{ key: 'builds', operator: 'Exists' }];
  const { spec } = renderRun(
    demoBuild(),
    options({
      'service-account': 'builder',
      tasks: {
        images: {
          requests: { cpu: '2' },
          limits: { memory: '3Gi' },
          'timeout-minutes': 1.5,
          tolerations,
          priority: 'low',
          'node-selector': { disk: 'fast' },
        },
      },
    }),
  );
  expect(spec.taskRunTemplate.serviceAccountName).toBe('builder');
  expect(spec.taskRunSpecs.map(({ pipelineTaskName }) => pipelineTaskName)).toEqual(taskKinds);
  for (const { podTemplate } of [spec.taskRunTemplate, ...spec.taskRunSpecs])
    expect(podTemplate).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
    });
  expect(spec.taskRunSpecs[3]).toEqual({
    pipelineTaskName: 'images',
    timeout: '90s',
    podTemplate: {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      tolerations,
      priorityClassName: 'low',
      nodeSelector: { disk: 'fast' },
    },
    stepSpecs: [
      { name: 'run', computeResources: { requests: { cpu: '2' }, limits: { memory: '3Gi' } } },
    ],
  });
});

test('a queue is a label of the run', () => {
  const queued = renderRun(demoBuild(), options({ queue: 'team-a' }));
  expect(queued.metadata.labels?.['kueue.x-k8s.io/queue-name']).toBe('team-a');
});

test('a run refers to the installed Pipeline, or has its own where tasks are begun again', () => {
  expect(renderRun(demoBuild(), options()).spec).toMatchObject({
    pipelineRef: { name: 'tributary' },
  });
  const { spec } = renderRun(demoBuild(), options({ tasks: { images: { retries: 2 } } }));
  expect(spec.pipelineRef).toBeUndefined();
  const tasks = [...(spec.pipelineSpec?.tasks ?? []), ...(spec.pipelineSpec?.finally ?? [])];
  expect(tasks.map(({ name, retries }) => [name, retries])).toEqual([
    ['prepare', undefined],
    ['payload', undefined],
    ['manifests', undefined],
    ['images', 2],
    ['assemble', undefined],
    ['report', undefined],
  ]);
});

test('at most four pods are on the critical path, and no task waits for a volume', () => {
  const { tasks, finally: last } = renderPipelineSpec();
  const depth = (name: string): number => {
    const task = tasks.find((one) => one.name === name);
    const needs = [
      ...(task?.runAfter ?? []),
      ...Array.from(
        JSON.stringify(task).matchAll(/tasks\.(\w+)\.results/g),
        ([, need]) => need ?? '',
      ),
    ];
    return 1 + Math.max(0, ...needs.map(depth));
  };
  expect(Math.max(...tasks.map(({ name }) => depth(name))) + last.length).toBe(4);
  expect(JSON.stringify(tasks)).not.toContain('workspace');
});
