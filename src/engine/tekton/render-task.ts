import { taskPhases, taskVariables } from '../../steps/task-input.ts';
import type {
  SecurityContext,
  Task,
  TaskResult,
  TaskStep,
  Volume,
  VolumeMount,
} from './tekton-api.ts';

/** What is particular to a Task. */
export interface TaskParts {
  readonly name: string;
  readonly description: string;
  readonly containers: readonly Container[];
  readonly volumes: readonly Volume[];
  readonly results: Task['spec']['results'];
}

/** What is particular to a container of it: the program `tributary task <name>`. */
export interface Container {
  readonly name: keyof typeof taskPhases;
  readonly params: readonly Exclude<ParamName, 'image'>[];
  readonly securityContext: SecurityContext;
  readonly mounts?: readonly VolumeMount[];
  readonly onError?: 'continue';
  /** Beside those of all. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly results?: readonly TaskResult[];
  readonly resources?: TaskStep['computeResources'];
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

/** A Task whose containers have the configuration, and a home and a /tmp of their own. */
export function renderTask({ name, description, containers, volumes, results }: TaskParts): Task {
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
    command: [...taskPhases[name].startedBy, 'tributary', 'task', name],
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
