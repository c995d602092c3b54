import { FailureError } from '../builds/failure.ts';
import { type Artifact, readArtifact } from './artifact.ts';
import { artifactRepository, type StepContext } from './step.ts';

/** An artifact that an earlier step left, by its tag or digest (`:key-…`, `@sha256:…`). */
export async function demandArtifact(
  { plan, registry }: Pick<StepContext, 'plan' | 'registry'>,
  name: string,
  what: string,
): Promise<Artifact> {
  const reference = `${artifactRepository(plan)}${name}`;
  const found = await readArtifact(registry, reference);
  if (found !== undefined) return found;
  throw new FailureError({
    reason: 'registry-unavailable',
    detail: `${reference}, which holds ${what}, is gone.`,
    hint: 'Run the build again: what is missing is made anew. If it keeps vanishing, the registry removes tags: exempt `key-*`.',
    about: { reference },
  });
}
