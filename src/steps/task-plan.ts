import { z } from 'zod';
import { FailureError } from '../builds/failure.ts';
import { readText, textFile } from '../plan/file-tree.ts';
import type { Digest } from '../plan/names.ts';
import type { Plan } from '../plan/plan.ts';
import type { Units } from '../plan/plan-units.ts';
import { readArtifact, writeArtifact } from './artifact.ts';
import { artifactRepository, type Registry } from './step.ts';

/** What the tasks of a run are to do. */
export interface TaskPlan {
  readonly plan: Plan;
  /** Steps whose result the registry held: `assemble` finds them by their key. */
  readonly held: readonly string[];
  /** What pods make; every other step is for `assemble`, and `report` for the last task. */
  readonly units: Units;
}

const Metadata = z.object({
  held: z.array(z.string()),
  units: z.record(z.string(), z.array(z.string())),
});

/** Keeps what the tasks of a run are to do, and gives the reference by digest that they are told. */
export async function writeTaskPlan(
  registry: Registry,
  workdir: string,
  run: string,
  { plan, held, units }: TaskPlan,
): Promise<string> {
  const repository = artifactRepository(plan);
  const files = new Map([['plan.json', textFile(JSON.stringify(plan))]]);
  const content = { kind: 'task-plan', metadata: { held, units }, files };
  const digest: Digest = await writeArtifact(
    registry,
    workdir,
    `${repository}:run-${run}`,
    content,
  );
  return `${repository}@${digest}`;
}

/** Reads it. Its digest was told by the task that wrote it, so that the plan's types are trusted. */
export async function readTaskPlan(registry: Registry, reference: string): Promise<TaskPlan> {
  const artifact = await readArtifact(registry, reference);
  const metadata = Metadata.safeParse(artifact?.metadata);
  const plan = artifact && readText(artifact.files, 'plan.json');
  if (plan !== undefined && metadata.success)
    return { plan: JSON.parse(plan) as Plan, ...metadata.data };
  throw new FailureError({
    reason: 'registry-unavailable',
    detail: `The plan of this run is not in the registry any more: ${reference}.`,
    hint: 'Somebody removed it. Run the build again: what was finished is used.',
    about: { reference },
  });
}
