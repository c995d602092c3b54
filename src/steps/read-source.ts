import { FailureError } from '../builds/failure.ts';
import type { FileTree } from '../plan/file-tree.ts';
import type { ComponentName } from '../plan/names.ts';
import { readArtifact } from './artifact.ts';
import { artifactRepository, keyTag, type StepContext } from './step.ts';

/** The source tree of a component of the plan, from the artifact that `prepare` made. */
export async function readSource(
  component: ComponentName,
  { plan, registry }: Pick<StepContext, 'plan' | 'registry'>,
): Promise<FileTree> {
  const source = plan.sources[component];
  if (source === undefined) throw new Error(`the plan has no source of ${component}`);
  const reference = `${artifactRepository(plan)}:${keyTag(source.key)}`;
  const artifact = await readArtifact(registry, reference);
  if (artifact !== undefined) return artifact.files;
  throw new FailureError({
    reason: 'registry-unavailable',
    detail: `The source of ${component} is not in the registry any more: ${reference}.`,
    hint: `Someone removed the tag. Run the build again: \`tributary rerun ${plan.tag}\`.`,
    about: { component, reference },
  });
}
