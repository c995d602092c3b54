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
  const offered = await checkIndex(bundle.image, bundle.name, context);

  context.progress('comparing images with their keys');
  const { images, failures: different } = await checkImages(csv, context);
  const { agreed, failures: otherCommits } = await checkRevisions(images, context);

  context.progress('comparing payloads and sources');
  const carries = ({ name }: FoundImage) => context.plan.product.images[name]?.kodata !== undefined;
  const operators = images.filter(carries);
  const { payloads, failures: stale } = await checkPayloads(operators, context);
  const unlike = await checkManifests(bundle.files, bundle.csvFile, context);
  const { failures: unproven, modules, believed } = await checkSources(context);

  const evidence = { images, payloads, operators, agreed, modules, believed };
  const inclusion = listInclusion(evidence, context.plan);
  const lost = notReached(inclusion, context.plan);
  const failures = [offered, different, otherCommits, stale, unlike, unproven, lost].flat();
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

function namedImages(csv: readonly CsvImage[], bundle: string, { outputs }: StepContext) {
  const index = outputs['index'];
  const named = csv.filter(looksLikeImage).map(({ reference }) => reference);
  return [...named, bundle, ...(index?.kind === 'index' ? [index.image] : [])];
}

function describe({ component, place, outcome, proof }: Inclusion): string {
  return `${component} · ${place} · ${outcome}: ${proof}`;
}
