import type { Failure } from '../../builds/failure.ts';
import { type FileTree, gitTreeSha } from '../../plan/file-tree.ts';
import type { ComponentName } from '../../plan/names.ts';
import type { Source } from '../../plan/plan.ts';
import { readArtifact } from '../artifact.ts';
import { artifactRepository, keyTag, type StepContext } from '../step.ts';
import { type CarriedModules, carriedModules } from './carried-modules.ts';
import { notIncluded } from './not-included.ts';
import { proveCommit } from './prove-commit.ts';

/** What the sources prove. */
export interface CheckedSources {
  readonly unproven: readonly Failure[];
  /** Which components carry which others as a Go module or submodule. */
  readonly modules: CarriedModules;
}

/** Reads every source that something is made of back, and proves it. */
export async function checkSources(context: StepContext): Promise<CheckedSources> {
  const { plan } = context;
  const built = new Set(Object.values(plan.product.images).flatMap(({ of }) => of));
  const unproven: Failure[] = [];
  const found = new Map<ComponentName, FileTree>();
  for (const [name, source] of Object.entries(plan.sources) as [ComponentName, Source][]) {
    const hasPayload = plan.steps.some(
      (step) => step.kind === 'payload' && step.component === name,
    );
    if (!built.has(name) && !hasPayload) continue;
    const { files, failures } = await checkSource(name, source, context);
    unproven.push(...failures);
    if (files !== undefined) found.set(name, files);
  }
  const product = await checkSource('product', plan.productSource, context);
  unproven.push(...product.failures);
  return { unproven, modules: carriedModules(found) };
}

async function checkSource(
  name: string,
  source: Source,
  { plan, registry, workdir }: StepContext,
): Promise<{ files?: FileTree; failures: Failure[] }> {
  const reference = `${artifactRepository(plan)}:${keyTag(source.key)}`;
  const artifact = await readArtifact(registry, workdir, reference);
  const place = { component: name, place: 'source' };
  if (artifact === undefined) {
    const what = 'its source artifact is not in the registry.';
    return { failures: [notIncluded({ ...place, what, expected: reference, found: 'nothing' })] };
  }
  const { metadata, files } = artifact;
  const patched = plan.patches.some(
    ({ component, by, outcome }) =>
      component === name && by === 'tributary' && outcome === 'applied',
  );
  const wrong = proveCommit(source, metadata, gitTreeSha(files), patched);
  return { files, failures: wrong.map((found) => notIncluded({ ...place, ...found })) };
}
