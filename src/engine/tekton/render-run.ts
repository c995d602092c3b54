import { attemptName } from '../../builds/attempt-name.ts';
import type { AskedBuild, NewBuild } from '../../builds/build.ts';
import type { Failure } from '../../builds/failure.ts';
import { type TaskKind, type TaskSettings, type Tekton, taskKinds } from '../../config/tekton.ts';
import type { ReportedBuild } from '../../steps/task-input.ts';
import { renderPipelineSpec } from './render-pipeline.ts';
import { workingStep } from './render-tasks.ts';
import {
  askedAnnotation,
  attemptLabel,
  buildAnnotation,
  componentLabel,
  labelValue,
  linkAnnotation,
  lockAnnotation,
  nameLabel,
  requesterAnnotation,
  requesterLabel,
  submissionAnnotation,
  tagLabel,
} from './run-names.ts';
import type { NewPipelineRun, PodTemplate } from './tekton-api.ts';

export interface RunOptions {
  readonly attempt: number;
  /** When it is created. */
  readonly now: Date;
  readonly settings: Tekton;
  readonly namespace: string;
  /** URL of the service, for the link; undefined: it has none. */
  readonly url: string | undefined;
  /** Names this call. */
  readonly submission: string;
}

/** The PipelineRun of an attempt of a build. What people wrote is in parameters, labels and annotations, and in no script. */
export function renderRun(asked: AskedBuild, options: RunOptions): NewPipelineRun {
  const { settings, attempt, namespace } = options;
  const { lock, rebuild, tag } = asked;
  const build = safeJson(keptOf(asked));
  return {
    apiVersion: 'tekton.dev/v1',
    kind: 'PipelineRun',
    metadata: {
      name: attemptName(asked.pipelinerun, attempt),
      namespace,
      labels: labelsOf(asked, attempt, settings.queue),
      annotations: {
        [lockAnnotation]: asked.lockDigest,
        [buildAnnotation]: build,
        [requesterAnnotation]: asked.requester,
        [submissionAnnotation]: options.submission,
        [askedAnnotation]: options.now.toISOString(),
        ...(options.url !== undefined && {
          [linkAnnotation]: `${options.url}/api/builds/${tag}`,
        }),
      },
    },
    spec: {
      ...pipelineOf(settings),
      params: [
        { name: 'image', value: settings.image },
        { name: 'tag', value: tag },
        { name: 'lock', value: safeJson(lock) },
        { name: 'rebuild', value: String(rebuild) },
        { name: 'build', value: safeJson(reportedOf(asked, options)) },
      ],
      // Each task has its own limit, and a run has no more than four of them one after the other.
      timeouts: { pipeline: '0' },
      taskRunTemplate: {
        serviceAccountName: settings['service-account'],
        podTemplate: plainPod,
      },
      taskRunSpecs: taskKinds.map((kind) => taskRunSpec(kind, settings.tasks[kind])),
    },
  };
}

/** Bytes of one string of a process's environment (MAX_ARG_STRLEN of Linux), `NAME=value` with its end: parameters become such. */
const longestVariable = 128 * 1024;

/** Why no container could be given what a run says; undefined where it can. */
export function tooLong({ spec }: NewPipelineRun): Failure | undefined {
  const long = spec.params.find(({ value }) => Buffer.byteLength(value) > longestVariable - 64);
  if (long === undefined) return undefined;
  return {
    reason: 'run-refused',
    detail: `What is asked for is too much for one run: its parameter ${long.name} has ${Buffer.byteLength(long.value)} bytes, and a container takes ${longestVariable}.`,
    hint: 'Name fewer components in one request.',
  };
}

/** The same, and when it began: what the record says. */
function reportedOf(asked: AskedBuild, { attempt, now }: RunOptions): ReportedBuild {
  const at = now.toISOString();
  return { ...keptOf(asked), attempt, createdAt: at, startedAt: at };
}

/** What is kept of a build on its run: all but the product, of which only what its status names. */
function keptOf(asked: AskedBuild): AskedBuild {
  const { product } = asked;
  const { productText: _, ...kept } = asked as NewBuild;
  return {
    ...kept,
    product: {
      images: Object.fromEntries(Object.keys(product.images).map((name) => [name, {}])),
      bundle: { image: product.bundle.image },
      index: { image: product.index.image },
    },
  };
}

/**
 * JSON that means the same to everybody on its way: Tekton replaces `$(params…)` and Kubernetes `$(VARIABLE)` in what containers are
 * given, so no dollar sign stands in it as such.
 */
function safeJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('$', '\\u0024');
}

function labelsOf(
  { tag, lock, read, requester }: AskedBuild,
  attempt: number,
  queue: string | undefined,
): Record<string, string> {
  return {
    'app.kubernetes.io/part-of': 'tributary',
    [tagLabel]: labelValue(tag),
    [nameLabel]: labelValue(lock.name),
    [attemptLabel]: String(attempt),
    [requesterLabel]: labelValue(requester),
    ...Object.fromEntries(
      Object.keys(read).map((component) => [componentLabel(component), 'true']),
    ),
    ...(queue !== undefined && { 'kueue.x-k8s.io/queue-name': queue }),
  };
}

/** The installed Pipeline; a run whose tasks are begun again has it in itself, for only there it can say so. */
function pipelineOf({
  pipeline,
  tasks,
}: Tekton): Pick<NewPipelineRun['spec'], 'pipelineRef' | 'pipelineSpec'> {
  if (taskKinds.every((kind) => tasks[kind].retries === 0))
    return { pipelineRef: { name: pipeline } };
  const retries = Object.fromEntries(taskKinds.map((kind) => [kind, tasks[kind].retries]));
  return { pipelineSpec: renderPipelineSpec(retries) };
}

const plainPod: PodTemplate = { automountServiceAccountToken: false, enableServiceLinks: false };

function taskRunSpec(kind: TaskKind, settings: TaskSettings) {
  const { requests, limits, tolerations, priority } = settings;
  return {
    pipelineTaskName: kind,
    timeout: `${Math.ceil(settings['timeout-minutes'] * 60)}s`,
    podTemplate: {
      ...plainPod,
      ...(tolerations.length > 0 && { tolerations }),
      ...(priority !== undefined && { priorityClassName: priority }),
      ...(Object.keys(settings['node-selector']).length > 0 && {
        nodeSelector: settings['node-selector'],
      }),
    },
    stepSpecs: [{ name: workingStep[kind], computeResources: { requests, limits } }],
  };
}
