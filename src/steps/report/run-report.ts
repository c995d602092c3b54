import { type FileTree, placedIn, textFile, withFiles } from '../../plan/file-tree.ts';
import type { Lock } from '../../plan/lock.ts';
import type { Tag } from '../../plan/names.ts';
import type { Inclusion, Plan, StepOutput, Unpullable } from '../../plan/plan.ts';
import { lockDigest } from '../../plan/tag.ts';
import type { Product } from '../../product/product.ts';
import { writeArtifact } from '../artifact.ts';
import { artifactRepository, type StepContext, type StepProgram } from '../step.ts';
import { readLogs } from './read-logs.ts';

/** `REMOTE/tributary:<TAG>-record`: where the record of a build is. */
export function recordReference(plan: Pick<Plan, 'lock' | 'tag'>): string {
  return `${artifactRepository(plan)}:${plan.tag}-record`;
}

/**
 * Keeps the record of a build beside its images: lock, plan, what each step made, inclusion, outcome and
 * logs. It runs after a failure too, with what there is.
 */
export const runReport: StepProgram<'report'> = (_step, context) => {
  const { plan } = context;
  return writeRecord({ tag: plan.tag, lock: plan.lock, product: plan.product, plan }, context);
};

/** A build of which a record is kept. */
export interface Recorded {
  readonly tag: Tag;
  readonly lock: Lock;
  readonly product: Product;
  /** Undefined where it could not be made. */
  readonly plan: Plan | undefined;
}

type RecordContext = Pick<
  StepContext,
  'outputs' | 'registry' | 'workdir' | 'record' | 'log' | 'progress'
>;

/** Writes the record of a build, whether or not it has a plan. */
export async function writeRecord(recorded: Recorded, context: RecordContext): Promise<StepOutput> {
  const { plan, lock, product } = recorded;
  const { outputs, registry, workdir, record } = context;
  context.progress('writing the record');
  const logs: FileTree = record === undefined ? new Map() : await readLogs(record.logs);
  const verified = Object.values(outputs).find(isVerified);
  const documents = {
    'lock.json': lock,
    ...(plan === undefined ? { 'product.json': product } : { 'plan.json': plan }),
    'outputs.json': outputs,
    'inclusion.json': verified?.inclusion ?? [],
    'unpullable.json': verified?.unpullable ?? [],
    ...(record && { 'build.json': record.build }),
  };
  const files = withFiles(
    new Map(Object.entries(documents).map(([name, value]) => [name, textFile(json(value))])),
    plan === undefined
      ? new Map()
      : new Map([['upstream_sources.yaml', textFile(plan.upstreamSources)]]),
    placedIn('logs', logs),
  );
  const metadata = recordMetadata(recorded, context);
  const reference = recordReference(recorded);
  const digest = await writeArtifact(registry, workdir, reference, {
    kind: 'record',
    metadata,
    files,
  });
  context.log(`record: ${reference} (${digest}), with ${logs.size} logs`);
  return { kind: 'report', digest };
}

type Verified = { inclusion: readonly Inclusion[]; unpullable: readonly Unpullable[] };

function isVerified(
  output: StepOutput,
): output is Extract<StepOutput, { kind: 'verify' }> & Verified {
  return output.kind === 'verify';
}

/** What one wants to know of a build without fetching its files. */
function recordMetadata({ plan, lock, tag }: Recorded, { record, outputs }: RecordContext) {
  const unfinished =
    plan === undefined
      ? ['prepare']
      : plan.steps
          .filter(({ id, kind }) => kind !== 'report' && !(id in outputs))
          .map(({ id }) => id);
  return {
    version: 1,
    tag,
    lockDigest: lockDigest(lock),
    name: lock.name,
    release: lock.release,
    outcome: record?.build.state ?? (unfinished.length === 0 ? 'succeeded' : 'failed'),
    unfinished,
    ...(record && {
      pipelinerun: record.build.pipelinerun,
      attempt: record.build.attempt,
      requester: record.build.requester,
      createdAt: record.build.createdAt,
      startedAt: record.build.startedAt,
    }),
  };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
