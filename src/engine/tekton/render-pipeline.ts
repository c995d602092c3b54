import type { TaskKind } from '../../config/tekton.ts';
import { taskNames } from './render-tasks.ts';
import type { Param, Pipeline, PipelineSpec, PipelineTask } from './tekton-api.ts';

/** How often the tasks of each kind are begun again that failed. */
export type Retries = Readonly<Record<TaskKind, number>>;

/** The Pipeline that `deploy/tekton` installs. */
export function renderPipeline(name: string): Pipeline {
  return {
    apiVersion: 'tekton.dev/v1',
    kind: 'Pipeline',
    metadata: { name, labels: { 'app.kubernetes.io/part-of': 'tributary' } },
    spec: renderPipelineSpec(),
  };
}

/**
 * prepare → payload ∥ manifests ∥ groups of images → assemble, which keeps the record where all went well, and else finally report: at most
 * four pods one after the other. Nothing passes between them but the digest of the plan and the numbers of the groups; all else lies in the registry.
 */
export function renderPipelineSpec(retries: Partial<Retries> = {}): PipelineSpec {
  const begunAgain = (kind: TaskKind) => (retries[kind] ? { retries: retries[kind] } : {});
  const unit = (kind: 'payload' | 'manifests' | 'images', displayName: string): PipelineTask => ({
    name: kind,
    displayName,
    taskRef: { name: taskNames.unit },
    when: [{ input: `$(tasks.prepare.results.${kind})`, operator: 'in', values: ['yes'] }],
    ...begunAgain(kind),
    ...(kind === 'images'
      ? {
          params: [...common, plan],
          matrix: { params: [{ name: 'unit', value: '$(tasks.prepare.results.units[*])' }] },
        }
      : { params: [...common, plan, { name: 'unit', value: kind }] }),
  });
  return {
    description: 'Builds an operator bundle from refs of its components.',
    params: [
      { name: 'image', description: 'The image of Tributary, in which every step runs.' },
      { name: 'tag', description: 'Tag of the build.' },
      { name: 'lock', description: 'The lock, as JSON.' },
      { name: 'rebuild', description: '`true`: hits are not used, but compared.' },
      { name: 'build', description: 'The build as it was asked for, as JSON.' },
    ],
    tasks: [
      {
        name: 'prepare',
        displayName: 'Merge the sources and plan',
        taskRef: { name: taskNames.prepare },
        ...begunAgain('prepare'),
        params: common,
      },
      unit('payload', 'Render the payloads'),
      unit('manifests', "Generate the operator's manifests"),
      unit('images', 'Build images'),
      {
        name: 'assemble',
        displayName: 'Make bundle and index, and verify them',
        taskRef: { name: taskNames.assemble },
        runAfter: ['payload', 'manifests', 'images'],
        ...begunAgain('assemble'),
        params: [...common, plan, pass('build')],
      },
    ],
    finally: [
      {
        name: 'report',
        displayName: 'Keep the record',
        taskRef: { name: taskNames.report },
        when: [{ input: '$(tasks.assemble.status)', operator: 'notin', values: ['Succeeded'] }],
        ...begunAgain('report'),
        // Not the plan: a task of `finally` that reads a result is skipped where there is none, and a failed build has a record, too.
        params: [...common, pass('build'), { name: 'reasons', value: reasons }],
      },
    ],
  };
}

function pass(name: string): Param {
  return { name, value: `$(params.${name})` };
}

const common: readonly Param[] = [
  pass('image'),
  { name: 'run', value: '$(context.pipelineRun.uid)' },
  pass('tag'),
  pass('lock'),
  pass('rebuild'),
];

const reasons = ['prepare', 'payload', 'manifests', 'images', 'assemble']
  .map((task) => `${task}=$(tasks.${task}.reason)`)
  .join(' ');

const plan: Param = { name: 'plan', value: '$(tasks.prepare.results.plan)' };
