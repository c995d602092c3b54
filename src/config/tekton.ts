import { z } from 'zod';

/** Kinds of tasks of a run, each a pod (`images`: one for each group of images). */
export const taskKinds = [
  'prepare',
  'payload',
  'manifests',
  'images',
  'assemble',
  'report',
] as const;
export type TaskKind = (typeof taskKinds)[number];

const quantity = z
  .string()
  .regex(/^\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/, 'not a quantity such as `500m` or `2Gi`');
const quantities = z.record(z.string().min(1), quantity);

/** A toleration as Kubernetes writes it. */
const toleration = z.strictObject({
  key: z.string().exactOptional(),
  operator: z.enum(['Exists', 'Equal']).exactOptional(),
  value: z.string().exactOptional(),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).exactOptional(),
  tolerationSeconds: z.number().int().exactOptional(),
});

interface Usual {
  readonly requests: Readonly<Record<string, string>>;
  readonly limits: Readonly<Record<string, string>>;
}

function task(what: string, { requests, limits }: Usual) {
  return z
    .strictObject({
      requests: quantities
        .default({ ...requests })
        .describe('What the container that does the work asks for: `{cpu: 500m, memory: 1Gi}`.'),
      limits: quantities
        .default({ ...limits })
        .describe('What it may take; beyond its memory it is ended.'),
      'timeout-minutes': z.number().min(0.1).default(60).describe('A task that takes longer ends.'),
      retries: z
        .number()
        .int()
        .min(0)
        .max(5)
        .default(0)
        .describe(
          'How often a task that failed is begun again; one that failed by what it builds ends at once then. Trouble of registries and git servers is waited out by the steps themselves.',
        ),
      tolerations: z.array(toleration).default([]).describe('Tolerations of its pod.'),
      priority: z.string().optional().describe('PriorityClass of its pod.'),
      'node-selector': z
        .record(z.string(), z.string())
        .default({})
        .describe('Labels of the nodes that its pod may run on.'),
    })
    .prefault({})
    .describe(what);
}

/** How builds run on a cluster. */
export const Tekton = z.strictObject({
  namespace: z
    .string()
    .optional()
    .describe('Namespace of the runs; default: that of the service itself.'),
  image: z
    .string()
    .min(1)
    .describe('Image of Tributary, in which every step runs; by digest, so that all are the same.'),
  pipeline: z
    .string()
    .default('tributary')
    .describe('The Pipeline that was installed from `deploy/tekton`.'),
  'service-account': z
    .string()
    .default('tributary-build')
    .describe('ServiceAccount of the pods; it needs no rights, and its token is not mounted.'),
  queue: z.string().optional().describe('Kueue LocalQueue that runs wait in; default: none.'),
  kubeconfig: z
    .string()
    .optional()
    .describe('Which cluster; default: the one the service runs in, else as `kubectl` finds it.'),
  tasks: z
    .strictObject({
      prepare: task('Merges the sources and plans.', {
        requests: { cpu: '250m', memory: '512Mi' },
        limits: { memory: '4Gi' },
      }),
      payload: task('Renders payloads.', {
        requests: { cpu: '250m', memory: '256Mi', 'ephemeral-storage': '2Gi' },
        limits: { memory: '4Gi', 'ephemeral-storage': '20Gi' },
      }),
      manifests: task("Generates the operator's manifests.", {
        requests: { cpu: '500m', memory: '1Gi', 'ephemeral-storage': '2Gi' },
        limits: { memory: '8Gi', 'ephemeral-storage': '20Gi' },
      }),
      images: task('Builds a group of images.', {
        requests: { cpu: '500m', memory: '1Gi', 'ephemeral-storage': '2Gi' },
        limits: { memory: '8Gi', 'ephemeral-storage': '30Gi' },
      }),
      assemble: task('Tags what was built, and makes bundle and index.', {
        requests: { cpu: '250m', memory: '256Mi' },
        limits: { memory: '4Gi' },
      }),
      report: task('Keeps the record where `assemble` did not come to that.', {
        requests: { cpu: '100m', memory: '256Mi' },
        limits: { memory: '2Gi' },
      }),
    })
    .prefault({}),
});
export type Tekton = z.infer<typeof Tekton>;
export type TaskSettings = Tekton['tasks'][TaskKind];
