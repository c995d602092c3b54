import { gzipSync } from 'node:zlib';
import type { AskedBuild, Build } from '../../src/builds/build.ts';
import { type BuildChange, eventId } from '../../src/builds/event.ts';
import { foldBuild } from '../../src/builds/fold.ts';
import { plannedSteps } from '../../src/builds/planned-steps.ts';
import { Tekton } from '../../src/config/tekton.ts';
import { packBuild } from '../../src/engine/tekton/builds-of-runs.ts';
import { renderPipelineSpec } from '../../src/engine/tekton/render-pipeline.ts';
import { renderRun } from '../../src/engine/tekton/render-run.ts';
import { outcomeAnnotation } from '../../src/engine/tekton/run-names.ts';
import type { NewPipelineRun } from '../../src/engine/tekton/tekton-api.ts';
import { planUnits, type Units } from '../../src/plan/plan-units.ts';
import { prepareResults } from '../../src/steps/prepare-results.ts';
import type { LargeBuild } from './large-build.ts';

/** What a cluster and the kernel take, in bytes. */
export const limits = {
  /** One string of a process's environment: MAX_ARG_STRLEN of Linux, `NAME=value` with its end. */
  variable: 128 * 1024,
  /** All annotations of an object (Kubernetes' validation of ObjectMeta). */
  annotations: 256 * 1024,
  /** An object in etcd. */
  object: 1.5 * 2 ** 20,
  /** What one container says when it ends: all results of a task of one container. */
  results: 4096,
} as const;

/** A run as it is when it is over, and what of it has a limit, in bytes. */
export interface RunSizes {
  readonly run: object;
  readonly plan: number;
  /** The same as it lies in the registry. */
  readonly packedPlan: number;
  readonly sizes: Readonly<Record<keyof typeof limits, number>>;
  readonly units: number;
}

/** Measures the run of a build that makes everything. */
export function runSizes(large: LargeBuild): RunSizes {
  const { asked, plan } = large;
  const units = planUnits(plan, { held: new Set(), seeded: new Set(), shares: 2 });
  const settings = Tekton.parse({ image: 'registry.example.com/tributary@sha256:1' });
  const options = { attempt: 1, now: new Date(0), namespace: 'builds-of-pull-requests' };
  const url = 'https://tributary.builds-of-pull-requests.apps.example.com';
  const created = renderRun(asked, { ...options, settings, url, submission: 'x'.repeat(36) });
  const annotations = {
    ...created.metadata.annotations,
    [outcomeAnnotation]: packBuild(finished(large)),
  };
  const run = {
    ...created,
    metadata: { ...created.metadata, annotations },
    status: statusOf(created, units),
  };
  const text = Buffer.from(JSON.stringify(plan));
  return {
    run,
    plan: text.length,
    packedPlan: gzipSync(text).length,
    units: Object.keys(units).length,
    sizes: {
      // Names of variables are short.
      variable: 64 + Math.max(...created.spec.params.map(({ value }) => Buffer.byteLength(value))),
      annotations: bytesOf(annotations),
      object: bytesOf(run),
      results: bytesOf(terminationMessage(prepareResults(planReference, units))),
    },
  };
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

const planReference = `${'registry.example.com/'.padEnd(255, 'x')}/tributary@sha256:${'0'.repeat(64)}`;

/** As the entrypoint of Tekton writes it (pkg/result of tektoncd/pipeline). */
export function terminationMessage(results: Readonly<Record<string, string>>): object {
  return [
    ...Object.entries(results).map(([key, value]) => ({ key, value, type: 1 })),
    { key: 'StartedAt', value: new Date(0).toISOString(), type: 3 },
  ];
}

/** The build when every step has been made. */
export function finished({ asked, plan, outputOf }: LargeBuild): Build {
  const changes: BuildChange[] = [
    { kind: 'queued' },
    { kind: 'started' },
    { kind: 'step-started', step: 'prepare' },
    { kind: 'planned', steps: plannedSteps(plan.steps), patches: plan.patches },
    { kind: 'step-finished', step: 'prepare', output: null },
    ...plan.steps.flatMap(({ id }): BuildChange[] => [
      { kind: 'step-started', step: id },
      { kind: 'step-progress', step: id, text: 'pushing what was made' },
      { kind: 'step-finished', step: id, output: outputOf(id) },
    ]),
    { kind: 'succeeded' },
  ];
  return foldBuild(asked satisfies AskedBuild, changes.map(dated));
}

function dated(change: BuildChange, index: number) {
  const at = new Date(Date.UTC(2026, 0) + index * 317).toISOString();
  return { ...change, id: eventId(1, change), at, attempt: 1 };
}

/** As Tekton leaves it: every task is named, with what it depended on, and the Pipeline is copied. */
function statusOf({ metadata }: NewPipelineRun, units: Units): object {
  const tasks = ['prepare', ...Object.keys(units), 'assemble', 'report'];
  const at = new Date(0).toISOString();
  return {
    ...{ startTime: at, completionTime: at, pipelineSpec: renderPipelineSpec() },
    conditions: [
      {
        ...{ type: 'Succeeded', status: 'True', reason: 'Succeeded', lastTransitionTime: at },
        message: `Tasks Completed: ${tasks.length} (Failed: 0, Cancelled 0), Skipped: 0`,
      },
    ],
    childReferences: tasks.map((task) => ({
      ...{ apiVersion: 'tekton.dev/v1', kind: 'TaskRun', name: `${metadata.name}-images-${task}` },
      ...{ pipelineTaskName: task, displayName: 'Make bundle and index, and verify them' },
      whenExpressions: [{ input: 'yes', operator: 'in', values: ['yes'] }],
    })),
  };
}
