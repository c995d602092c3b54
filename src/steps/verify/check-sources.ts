import type { Failure } from '../../builds/failure.ts';
import { gitTreeSha } from '../../plan/file-tree.ts';
import type { ComponentName } from '../../plan/names.ts';
import type { Source } from '../../plan/plan.ts';
import { readArtifact } from '../artifact.ts';
import { artifactRepository, keyTag, type StepContext } from '../step.ts';
import { notIncluded } from './not-included.ts';
import { proveCommit } from './prove-commit.ts';

/** Reads every source back and proves it; all of them, for an image may be built of several. */
export async function checkSources(context: StepContext): Promise<Failure[]> {
  const { plan } = context;
  const built = new Set(Object.values(plan.product.images).flatMap(({ of }) => of));
  const failures: Failure[] = [];
  for (const [name, source] of Object.entries(plan.sources) as [ComponentName, Source][]) {
    const hasPayload = plan.steps.some(
      (step) => step.kind === 'payload' && step.component === name,
    );
    if (built.has(name) || hasPayload) failures.push(...(await checkSource(name, source, context)));
  }
  failures.push(...(await checkSource('product', plan.productSource, context)));
  return failures;
}

async function checkSource(
  name: string,
  source: Source,
  { plan, registry, workdir }: StepContext,
): Promise<Failure[]> {
  const reference = `${artifactRepository(plan)}:${keyTag(source.key)}`;
  const artifact = await readArtifact(registry, workdir, reference);
  const place = { component: name, place: 'source' };
  if (artifact === undefined) {
    const what = 'its source artifact is not in the registry.';
    return [notIncluded({ ...place, what, expected: reference, found: 'nothing' })];
  }
  const patched = plan.patches.some(
    ({ component, by, outcome }) =>
      component === name && by === 'tributary' && outcome === 'applied',
  );
  const wrong = proveCommit(source, artifact.metadata, gitTreeSha(artifact.files), patched);
  return wrong.map((difference) => notIncluded({ ...place, ...difference }));
}
