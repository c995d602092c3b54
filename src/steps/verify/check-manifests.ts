import type { Failure } from '../../builds/failure.ts';
import { type FileTree, sortedPaths } from '../../plan/file-tree.ts';
import type { StepOf } from '../../plan/plan.ts';
import { readArtifact } from '../artifact.ts';
import { artifactRepository, keyTag, type StepContext } from '../step.ts';
import { notIncluded } from './not-included.ts';

/** Checks that what the operator's generator made (CRDs, RBAC; the CSV is edited) is in the bundle, and nothing else. */
export async function checkManifests(
  bundle: FileTree,
  csvFile: string,
  context: StepContext,
): Promise<Failure[]> {
  const failures: Failure[] = [];
  for (const step of context.plan.steps) {
    if (step.kind !== 'manifests') continue;
    failures.push(...(await compareManifests(step, bundle, csvFile, context)));
  }
  return failures;
}

async function compareManifests(
  step: StepOf<'manifests'>,
  bundle: FileTree,
  csvFile: string,
  { plan, registry }: StepContext,
): Promise<Failure[]> {
  if (step.key === null) throw new Error(`${step.id} has no key`);
  const reference = `${artifactRepository(plan)}:${keyTag(step.key)}`;
  const generated = await readArtifact(registry, reference);
  const differ = (what: string, expected: string, found: string) =>
    notIncluded({ component: step.component, place: 'manifests', what, expected, found });
  if (generated === undefined) {
    return [differ('what was generated is not in the registry.', reference, 'nothing')];
  }
  const isManifest = (path: string) => /^manifests\/[^./][^/]*$/.test(path);
  const wanted = sortedPaths(generated.files).filter(isManifest);
  const lost = wanted
    .filter((path) => path !== csvFile)
    .filter((path) => !sameContent(generated.files, bundle, path))
    .map((path) => {
      const found = bundle.has(path) ? 'other content' : 'no such file';
      return differ('a generated manifest is not in the bundle as it was made.', path, found);
    });
  const stale = sortedPaths(bundle)
    .filter((path) => isManifest(path) && !generated.files.has(path))
    .map((path) =>
      differ('the bundle has a manifest that was not generated.', 'no such file', path),
    );
  return [...lost, ...stale];
}

function sameContent(a: FileTree, b: FileTree, path: string): boolean {
  const [one, other] = [a.get(path), b.get(path)];
  return one !== undefined && other !== undefined && one.content.equals(other.content);
}
