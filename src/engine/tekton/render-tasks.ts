import { taskPhases, taskResults, taskVariables, usualPushSecret } from '../../steps/task-input.ts';
import type {
  SecurityContext,
  Task,
  TaskResult,
  TaskStep,
  Volume,
  VolumeMount,
} from './tekton-api.ts';

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

const params = {
  image: 'The image of Tributary, in which every step runs.',
  run: 'UID of the PipelineRun.',
  tag: 'Tag of the build.',
  lock: 'The lock, as JSON.',
  plan: 'The plan, by digest.',
  unit: '`payload`, `manifests`, or the number of a group of images.',
  rebuild: '`true`: hits are not used, but compared.',
  build: 'The build as it was asked for, as JSON.',
  reasons: 'How the tasks before ended, as Tekton says.',
} as const;
type ParamName = keyof typeof params;

/** Where a container keeps what it needs while it runs: a volume of its own, which is its HOME, too. */
const home = '/var/lib/tributary';

const pushSecret = usualPushSecret;

interface Container {
  readonly name: string;
  readonly params: readonly Exclude<ParamName, 'image'>[];
  readonly securityContext: SecurityContext;
  readonly mounts?: readonly VolumeMount[];
  readonly onError?: 'continue';
  /** Beside those of all. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly results?: readonly TaskResult[];
  readonly resources?: TaskStep['computeResources'];
}

/** An ordinary user without any right. */
const unprivileged: SecurityContext = {
  runAsUser: 1000,
  runAsNonRoot: true,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};

/** Root by name, without any capability: it can read what `run` wrote. */
const rootWithoutRights: SecurityContext = {
  runAsUser: 0,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};

/**
 * What buildah needs to make a user namespace of its own, in which it unpacks images and runs code of a ref without CAP_SYS_CHROOT and without
 * network. The default seccomp profile of containerd forbids it.
 */
const builder: SecurityContext = {
  runAsUser: 0,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: false,
  capabilities: { drop: ['ALL'], add: taskPhases.run.capabilities },
};

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

const prepareTask = task({
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

const unitTask = task({
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
      securityContext: rootWithoutRights,
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

const assembleTask = task({
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
  results: [],
});

const reportTask = task({
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

function task({
  name,
  description,
  containers,
  volumes,
  results,
}: {
  readonly name: string;
  readonly description: string;
  readonly containers: readonly Container[];
  readonly volumes: readonly Volume[];
  readonly results: Task['spec']['results'];
}): Task {
  const used = (Object.keys(params) as ParamName[]).filter(
    (param) => param === 'image' || containers.some((one) => one.params.includes(param)),
  );
  return {
    apiVersion: 'tekton.dev/v1',
    kind: 'Task',
    metadata: { name, labels: { 'app.kubernetes.io/part-of': 'tributary' } },
    spec: {
      description,
      params: used.map((param) => ({ name: param, description: params[param] })),
      results,
      volumes: [
        {
          name: 'configuration',
          projected: {
            sources: [
              { configMap: { name: 'tributary-config' } },
              { configMap: { name: 'tributary-product' } },
            ],
          },
        },
        ...containers.flatMap(({ name: container }): Volume[] => [
          { name: `${container}-home`, emptyDir: {} },
          { name: `${container}-tmp`, emptyDir: {} },
        ]),
        ...volumes,
      ],
      steps: containers.map(step),
    },
  };
}

function step(container: Container): TaskStep {
  const {
    name,
    securityContext,
    mounts = [],
    variables = {},
    onError,
    results,
    resources,
  } = container;
  return {
    name,
    image: '$(params.image)',
    command: ['tributary', 'task', name],
    ...(onError && { onError }),
    env: [
      { name: taskVariables.config, value: '/etc/tributary/config.yaml' },
      ...container.params.map((param) => ({
        name: taskVariables[param],
        value: `$(params.${param})`,
      })),
      ...Object.entries(variables).map(([variable, value]) => ({ name: variable, value })),
      { name: 'HOME', value: home },
      // Tekton's own home is one folder for all containers of a pod: what one plants there, another would read.
      { name: 'DOCKER_CONFIG', value: `${home}/.docker` },
      { name: 'XDG_STATE_HOME', value: '/var/lib' },
      { name: 'TMPDIR', value: '/tmp' },
    ],
    securityContext,
    ...(results && { results }),
    ...(resources && { computeResources: resources }),
    volumeMounts: [
      { name: 'configuration', mountPath: '/etc/tributary', readOnly: true },
      { name: `${name}-home`, mountPath: home },
      { name: `${name}-tmp`, mountPath: '/tmp' },
      ...mounts,
    ],
  };
}
