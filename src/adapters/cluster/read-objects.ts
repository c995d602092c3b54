import { z } from 'zod';
import type { ClusterRun, ClusterStep, ClusterTask } from '../../engine/tekton/cluster.ts';

const texts = z.record(z.string(), z.string()).default({});

const Metadata = z.object({
  name: z.string(),
  uid: z.string(),
  resourceVersion: z.string(),
  creationTimestamp: z.string(),
  labels: texts,
  annotations: texts,
  ownerReferences: z.array(z.object({ uid: z.string() })).default([]),
});

const Conditions = z
  .array(
    z.object({
      type: z.string(),
      status: z.enum(['True', 'False', 'Unknown']),
      reason: z.string().default(''),
      message: z.string().default(''),
    }),
  )
  .default([]);

const Run = z.object({
  metadata: Metadata,
  spec: z.object({ status: z.string().optional() }),
  status: z
    .object({
      startTime: z.string().optional(),
      completionTime: z.string().optional(),
      conditions: Conditions,
      childReferences: z.array(z.object({ name: z.string() })).default([]),
    })
    .prefault({}),
});

const Container = z.object({
  name: z.string(),
  container: z.string().default(''),
  waiting: z.object({ reason: z.string().default(''), message: z.string().default('') }).optional(),
  running: z.object({ startedAt: z.string().optional() }).optional(),
  terminated: z
    .object({
      reason: z.string().default(''),
      exitCode: z.number(),
      startedAt: z.string().optional(),
    })
    .optional(),
});

const Task = z.object({
  metadata: Metadata,
  spec: z.object({
    params: z.array(z.object({ name: z.string(), value: z.unknown() })).default([]),
  }),
  status: z
    .object({
      podName: z.string().optional(),
      startTime: z.string().optional(),
      completionTime: z.string().optional(),
      conditions: Conditions,
      results: z
        .array(z.object({ name: z.string(), value: z.union([z.string(), z.array(z.string())]) }))
        .default([]),
      steps: z.array(Container).default([]),
      retriesStatus: z.array(z.unknown()).default([]),
    })
    .prefault({}),
});

const Pod = z.object({
  status: z
    .object({
      phase: z.string().default(''),
      reason: z.string().default(''),
      message: z.string().default(''),
      conditions: Conditions,
      containerStatuses: z
        .array(
          z.object({
            name: z.string(),
            state: z
              .object({
                waiting: z
                  .object({ reason: z.string().default(''), message: z.string().default('') })
                  .optional(),
                terminated: z
                  .object({ reason: z.string().default(''), message: z.string().default('') })
                  .optional(),
              })
              .default({}),
          }),
        )
        .default([]),
    })
    .prefault({}),
});

/** A PipelineRun as the API server sends it; undefined where it is none. */
export function readRun(object: unknown): ClusterRun | undefined {
  const parsed = Run.safeParse(object);
  if (!parsed.success) return undefined;
  const { metadata, spec, status } = parsed.data;
  return {
    ...named(metadata),
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    labels: metadata.labels,
    annotations: metadata.annotations,
    asked: spec.status || undefined,
    startedAt: status.startTime,
    completedAt: status.completionTime,
    condition: succeeded(status.conditions),
    tasks: status.childReferences.map(({ name }) => name),
  };
}

/** A TaskRun as the API server sends it; undefined where it is none, or of another run than the one with the UID `run`. */
export function readTask(object: unknown, run: string): ClusterTask | undefined {
  const parsed = Task.safeParse(object);
  if (!parsed.success) return undefined;
  const { metadata, spec, status } = parsed.data;
  if (!metadata.ownerReferences.some(({ uid }) => uid === run)) return undefined;
  const unit = spec.params.find(({ name }) => name === 'unit')?.value;
  return {
    ...named(metadata),
    task: metadata.labels['tekton.dev/pipelineTask'] ?? '',
    unit: typeof unit === 'string' ? unit : undefined,
    pod: status.podName || undefined,
    startedAt: status.startTime,
    completedAt: status.completionTime,
    condition: succeeded(status.conditions),
    results: Object.fromEntries(status.results.map(({ name, value }) => [name, value])),
    steps: status.steps.map(readStep),
    retries: status.retriesStatus.length,
  };
}

/** What a pod says of its own trouble, as one text. */
export function readPodTrouble(object: unknown): string | undefined {
  const parsed = Pod.safeParse(object);
  if (!parsed.success) return undefined;
  const { reason, message, conditions, containerStatuses } = parsed.data.status;
  const unschedulable = conditions.find(
    ({ type, status }) => type === 'PodScheduled' && status === 'False',
  );
  const containers = containerStatuses.flatMap(({ name, state }) => {
    const said = state.terminated ?? state.waiting;
    const usual = ['', 'Completed', 'PodInitializing', 'ContainerCreating', 'Error'];
    return said === undefined || usual.includes(said.reason) ? [] : [`${name}: ${said.reason}`];
  });
  const texts = [
    ...[reason, message].filter((text) => text !== ''),
    ...(unschedulable === undefined ? [] : [unschedulable.message]),
    ...containers,
  ];
  return texts.length === 0 ? undefined : texts.join('; ');
}

function named({ name, creationTimestamp }: z.infer<typeof Metadata>) {
  return { name, createdAt: inMilliseconds(creationTimestamp) };
}

/** As all our times are written. */
function inMilliseconds(time: string): string {
  return new Date(time).toISOString();
}

function succeeded(conditions: z.infer<typeof Conditions>): ClusterRun['condition'] {
  const found = conditions.find(({ type }) => type === 'Succeeded');
  return found && { status: found.status, reason: found.reason, message: found.message };
}

function readStep(step: z.infer<typeof Container>): ClusterStep {
  const { name, container, running, terminated, waiting } = step;
  const state = terminated ? 'terminated' : running ? 'running' : 'waiting';
  return {
    ...{ name, container: container || `step-${name}`, state },
    reason: terminated?.reason ?? waiting?.reason ?? '',
    exitCode: terminated?.exitCode,
    startedAt: terminated?.startedAt ?? running?.startedAt,
  };
}
