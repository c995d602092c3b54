import { taskResults, taskVariables, usualPushSecret } from '../../steps/task-input.ts';
import { renderTask } from './render-task.ts';
import { builder, unprivileged } from './security-contexts.ts';
import type { Task, TaskResult, Volume, VolumeMount } from './tekton-api.ts';

/** Names of the Tasks that `deploy/tekton` installs. */
export const taskNames = {
  prepare: 'tributary-prepare',
  unit: 'tributary-unit',
  assemble: 'tributary-assemble',
  report: 'tributary-report',
} as const;

/** The container that does the work of a task: what the configuration says of resources is about it. */
export const workingStep = {
  prepare: 'prepare',
  payload: 'run',
  manifests: 'run',
  images: 'run',
  assemble: 'assemble',
  report: 'report',
} as const;

/**
 * The Tasks of a run. No container has a service account's token; code of a ref runs in `run` alone, which has neither a credential nor
 * the files of the other containers; the push secret is a volume of containers that run none (docs/threat-model.md).
 */
export function renderTasks(): readonly Task[] {
  return [prepareTask, unitTask, assembleTask, reportTask];
}

const pushSecret = usualPushSecret;

const push: VolumeMount = { name: 'push-secret', mountPath: pushSecret, readOnly: true };
const notify: VolumeMount = {
  name: 'notify-secret',
  mountPath: '/etc/tributary-notify',
  readOnly: true,
};
const notifyVolume: Volume = {
  name: 'notify-secret',
  secret: { secretName: 'tributary-notify', optional: true },
};
const pushVolume: Volume = { name: 'push-secret', secret: { secretName: 'tributary-push' } };

const small = { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '2Gi' } };

const prepareTask = renderTask({
  name: taskNames.prepare,
  description: 'Merges and patches the sources, and plans what is built. Runs no code of a ref.',
  containers: [
    {
      name: 'prepare',
      params: ['run', 'tag', 'lock', 'rebuild'],
      securityContext: unprivileged,
      mounts: [push, { name: 'git-secret', mountPath: '/etc/tributary-git', readOnly: true }],
    },
  ],
  volumes: [
    pushVolume,
    { name: 'git-secret', secret: { secretName: 'tributary-git', optional: true } },
  ],
  results: [
    { name: taskResults.plan, type: 'string', description: 'The plan in the registry, by digest.' },
    {
      name: taskResults.units,
      type: 'array',
      description: 'Groups of images to build; never empty.',
    },
    { name: taskResults.images, type: 'string', description: '`yes`: there are images to build.' },
    {
      name: taskResults.payload,
      type: 'string',
      description: '`yes`: there are payloads to render.',
    },
    {
      name: taskResults.manifests,
      type: 'string',
      description: '`yes`: there are manifests to generate.',
    },
  ],
});

/** As Tekton Chains reads them: of one image, or of several. */
const made: readonly TaskResult[] = [
  { name: taskResults.imageUrl, type: 'string', description: 'The image, where it is one.' },
  { name: taskResults.imageDigest, type: 'string', description: 'Its digest.' },
  {
    name: taskResults.imageList,
    type: 'string',
    description: 'Images by digest, where they are several.',
  },
];

/**
 * Where code of a ref ran beside it, nobody knows where the push secret is mounted: Tekton reads files of a folder that all containers share when each of
 * them ends, and such a file could be a link.
 */
const hiddenSecret = `${pushSecret}/$(context.taskRun.uid)`;

const unitTask = renderTask({
  name: taskNames.unit,
  description:
    'Builds one unit: `fetch` gathers what it reads, `run` runs code of the refs in the sandbox, `push` pushes what that made, and keeps its logs.',
  containers: [
    {
      name: 'fetch',
      params: ['run', 'tag', 'lock', 'plan', 'unit', 'rebuild'],
      securityContext: builder,
      mounts: [
        { name: 'in', mountPath: '/pod/in' },
        { name: 'pull-secret', mountPath: '/etc/tributary-pull', readOnly: true },
      ],
      onError: 'continue',
      resources: small,
    },
    {
      name: 'run',
      params: ['run', 'tag', 'lock', 'plan', 'unit', 'rebuild'],
      securityContext: builder,
      mounts: [
        { name: 'in', mountPath: '/pod/in', readOnly: true },
        { name: 'out', mountPath: '/pod/out' },
      ],
      // The logs have to be kept when it fails, too: `push` says how the task ends.
      onError: 'continue',
    },
    {
      name: 'push',
      params: ['run', 'tag', 'lock', 'plan', 'unit', 'rebuild'],
      securityContext: unprivileged,
      mounts: [
        { name: 'in', mountPath: '/pod/in', readOnly: true },
        { name: 'out', mountPath: '/pod/out', readOnly: true },
        { ...push, mountPath: hiddenSecret },
      ],
      variables: {
        [taskVariables.pushSecret]: hiddenSecret,
        // A folder of this container alone, unlike that of a task's results.
        [taskVariables.results]: '/tekton/steps/step-push/results',
      },
      results: made,
      resources: small,
    },
  ],
  volumes: [
    { name: 'in', emptyDir: {} },
    { name: 'out', emptyDir: {} },
    { name: 'pull-secret', secret: { secretName: 'tributary-pull', optional: true } },
    pushVolume,
  ],
  results: made.map((result) => ({
    ...result,
    value: `$(steps.push.results.${result.name})`,
  })),
});

const assembleTask = renderTask({
  name: taskNames.assemble,
  description:
    'Tags what was built, makes bundle and index, verifies them, and keeps the record of the build. Runs no code of a ref.',
  containers: [
    {
      name: 'assemble',
      params: ['run', 'tag', 'lock', 'plan', 'rebuild', 'build'],
      securityContext: unprivileged,
      mounts: [push, notify],
    },
  ],
  volumes: [pushVolume, notifyVolume],
  results: [
    {
      name: taskResults.imageList,
      type: 'string',
      description: "The operator's images, the bundle and the index, by digest.",
    },
  ],
});

const reportTask = renderTask({
  name: taskNames.report,
  description:
    'Keeps the record of a build that came to no good end, and tells who wanted to hear.',
  containers: [
    {
      name: 'report',
      params: ['run', 'tag', 'lock', 'rebuild', 'build', 'reasons'],
      securityContext: unprivileged,
      mounts: [push, notify],
    },
  ],
  volumes: [pushVolume, notifyVolume],
  results: [],
});
