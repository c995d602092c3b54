import pLimit from 'p-limit';
import type { Failure } from '../../builds/failure.ts';
import { gitTreeSha } from '../../plan/file-tree.ts';
import type { ComponentName } from '../../plan/names.ts';
import type { Source } from '../../plan/plan.ts';
import { isBuilt } from '../../product/is-built.ts';
import { readArtifact } from '../artifact.ts';
import { artifactRepository, keyTag, type StepContext } from '../step.ts';
import { type CarriedModules, carriedModules } from './carried-modules.ts';
import { checkPlan, type ReadSource } from './check-plan.ts';
import { notIncluded } from './not-included.ts';
import { proveCommit } from './prove-commit.ts';

/** What the sources prove. */
export interface CheckedSources {
  readonly failures: readonly Failure[];
  /** Which components carry which others as a Go module or submodule. */
  readonly modules: CarriedModules;
  /** What was believed and not proven of a component: a sentence. */
  readonly believed: ReadonlyMap<ComponentName, string>;
}

/** Packed and unpacked, a source is held in memory several times. */
const sourcesAtOnce = 3;

/** Reads every source that something is made of back, proves it, and that the plan follows from them. */
export async function checkSources(context: StepContext): Promise<CheckedSources> {
  const { plan } = context;
  const failures: Failure[] = [];
  const believed = new Map<ComponentName, string>();
  const components = new Map<ComponentName, ReadSource>();
  const built = (Object.entries(plan.sources) as [ComponentName, Source][]).filter(([name]) =>
    isBuilt(name, plan.product),
  );
  const product = await checkSource('product', plan.productSource, context);
  const all = await pLimit(sourcesAtOnce).map(built, ([name, source]) =>
    checkSource(name, source, context),
  );
  for (const [index, [name]] of built.entries()) {
    const checked = all[index] as Checked;
    failures.push(...checked.failures);
    if (checked.read !== undefined) components.set(name, checked.read);
    if (checked.believed !== null) believed.set(name, checked.believed);
  }
  failures.push(...product.failures);
  // Keys of sources that are not what they should be would differ, too: that is told already.
  if (failures.length === 0 && product.read !== undefined)
    failures.push(...(await checkPlan({ product: product.read, components }, context)));
  const files = [...components].map(([name, read]) => [name, read.files] as const);
  return { failures, modules: carriedModules(new Map(files)), believed };
}

interface Checked {
  readonly read?: ReadSource;
  readonly failures: readonly Failure[];
  readonly believed: string | null;
}

async function checkSource(
  name: string,
  source: Source,
  { plan, registry }: StepContext,
): Promise<Checked> {
  const reference = `${artifactRepository(plan)}:${keyTag(source.key)}`;
  const artifact = await readArtifact(registry, reference);
  const place = { component: name, place: 'source' };
  if (artifact === undefined) {
    const what = 'its source artifact is not in the registry.';
    const missing = notIncluded({ ...place, what, expected: reference, found: 'nothing' });
    return { failures: [missing], believed: null };
  }
  const { metadata, files } = artifact;
  const patched = plan.patches.some(
    ({ component, by, outcome }) =>
      component === name && by === 'tributary' && outcome === 'applied',
  );
  const { wrong, tree, believed } = proveCommit(source, metadata, gitTreeSha(files), patched);
  const failures = wrong.map((found) => notIncluded({ ...place, ...found }));
  return { read: { files, tree }, failures, believed };
}
