import { FailureError } from '../../builds/failure.ts';
import type { Inclusion } from '../../plan/plan.ts';
import type { StepContext, StepProgram } from '../step.ts';
import { checkImages, type FoundImage } from './check-images.ts';
import { checkIndex } from './check-index.ts';
import { checkManifests } from './check-manifests.ts';
import { checkPayloads } from './check-payload.ts';
import { checkPullable } from './check-pullable.ts';
import { checkRevisions } from './check-revision.ts';
import { checkSources } from './check-sources.ts';
import { type CsvImage, csvImages, looksLikeImage } from './csv-images.ts';
import { listInclusion, notReached } from './list-inclusion.ts';
import { readBundle } from './read-bundle.ts';

/**
 * Green means that it is in there: reads the bundle back from the registry and walks from its CSV to the
 * digests, keys, payload files and sources. Fails with everything that differs.
 */
export const runVerify: StepProgram<'verify'> = async (_step, context) => {
  context.progress('reading the bundle back');
  const bundle = await readBundle(context);
  const csv = csvImages(bundle.csv);

  context.progress('comparing images with their keys, payloads and sources');
  const [offered, checked, unlike, sources] = await Promise.all([
    checkIndex(bundle.image, bundle.name, context),
    checkImagesAndPayloads(csv, context),
    checkManifests(bundle.files, bundle.csvFile, context),
    checkSources(context),
  ]);

  const inclusion = listInclusion({ ...checked, ...sources }, context.plan);
  const lost = notReached(inclusion, context.plan);
  const failures = [offered, checked.failures, unlike, sources.failures, lost].flat();
  const [first, ...rest] = failures;
  if (first !== undefined) throw new FailureError(first, ...rest);
  for (const row of inclusion) context.log(describe(row));

  context.progress('asking for every image as a cluster would');
  const unpullable = await checkPullable(namedImages(csv, bundle.image, context), context);
  for (const { image, how, remedy } of unpullable) {
    context.log(`${image} cannot be pulled ${how}. ${remedy}`);
  }
  return { kind: 'verify', inclusion, unpullable };
};

/** Images as their keys say, and payloads in those that carry them. */
async function checkImagesAndPayloads(csv: readonly CsvImage[], context: StepContext) {
  const { images, failures: different } = await checkImages(csv, context);
  const carries = ({ name }: FoundImage) => context.plan.product.images[name]?.kodata !== undefined;
  const operators = images.filter(carries);
  const [{ agreed, failures: otherCommits }, { payloads, failures: stale }] = await Promise.all([
    checkRevisions(images, context),
    checkPayloads(operators, context),
  ]);
  return { images, operators, agreed, payloads, failures: [different, otherCommits, stale].flat() };
}

function namedImages(csv: readonly CsvImage[], bundle: string, { outputs }: StepContext) {
  const index = outputs['index'];
  const named = csv.filter(looksLikeImage).map(({ reference }) => reference);
  return [...named, bundle, ...(index?.kind === 'index' ? [index.image] : [])];
}

function describe({ component, place, outcome, proof }: Inclusion): string {
  return `${component} · ${place} · ${outcome}: ${proof}`;
}
