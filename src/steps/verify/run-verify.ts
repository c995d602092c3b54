import { type Failure, FailureError } from '../../builds/failure.ts';
import type { FileTree } from '../../plan/file-tree.ts';
import type { ComponentName } from '../../plan/names.ts';
import type { Inclusion } from '../../plan/plan.ts';
import { readImageFiles } from '../image-files.ts';
import type { StepContext, StepProgram } from '../step.ts';
import { checkImages } from './check-images.ts';
import { checkIndex } from './check-index.ts';
import { checkManifests } from './check-manifests.ts';
import { checkPayload, readPayloads } from './check-payload.ts';
import { checkPullable } from './check-pullable.ts';
import { checkRevision } from './check-revision.ts';
import { checkSources } from './check-sources.ts';
import { csvImages, looksLikeImage } from './csv-images.ts';
import { listInclusion, notReached } from './list-inclusion.ts';
import { notIncluded } from './not-included.ts';

/**
 * Green means that it is in there: reads the bundle back from the registry and walks from its CSV to the
 * digests, keys, payload files and sources. Fails with everything that differs.
 */
export const runVerify: StepProgram<'verify'> = async (_step, context) => {
  context.progress('reading the bundle back');
  const bundle = await readBundle(context);
  const csv = csvImages(bundle.csv);
  const failures: Failure[] = [...(await checkIndex(bundle.image, bundle.name, context))];

  context.progress('comparing images with their keys');
  const { images, failures: imageFailures } = await checkImages(csv, context);
  failures.push(...imageFailures);
  const agreed = new Map<string, readonly string[]>();
  for (const image of images) {
    const step = context.plan.steps.find(({ id }) => id === `image/${image.name}`);
    if (step?.kind !== 'image') continue;
    for (const component of context.plan.product.images[image.name]?.of ?? []) {
      const revisions = await checkRevision(step, image, component, context);
      failures.push(...revisions.failures);
      agreed.set(`${image.name} ${component}`, revisions.agreed);
    }
  }

  context.progress('comparing payloads and sources');
  const { payloads, failures: payloadFailures } = await readPayloads(context);
  failures.push(...payloadFailures);
  const operators = images.filter(({ withoutPayload }) => withoutPayload !== null);
  if (payloadFailures.length === 0) {
    for (const image of operators) failures.push(...(await checkPayload(image, payloads, context)));
  }
  for (const step of context.plan.steps) {
    if (step.kind !== 'manifests') continue;
    failures.push(...(await checkManifests(step, bundle.files, bundle.csvFile, context)));
  }
  failures.push(...(await checkSources(context)));

  const inclusion = listInclusion({ images, payloads, operators, agreed }, context.plan);
  failures.push(...notReached(inclusion, context.plan));
  const [first, ...rest] = failures;
  if (first !== undefined) throw new FailureError(first, ...rest);
  for (const row of inclusion) context.log(describe(row));

  context.progress('asking for every image as a cluster would');
  const named = csv.filter(looksLikeImage).map(({ reference }) => reference);
  const index = context.outputs['index'];
  const indexImage = index?.kind === 'index' ? [index.image] : [];
  const unpullable = await checkPullable([...named, bundle.image, ...indexImage], context);
  for (const { image, how, remedy } of unpullable) {
    context.log(`${image} cannot be pulled ${how}. ${remedy}`);
  }
  return { kind: 'verify', inclusion, unpullable };
};

interface ReadBundle {
  readonly files: FileTree;
  readonly image: string;
  readonly csvFile: string;
  readonly csv: string;
  readonly name: string;
}

/** The bundle as a cluster finds it: by the build's tag. */
async function readBundle({ plan, registry, outputs }: StepContext): Promise<ReadBundle> {
  const { image } = plan.product.bundle;
  const reference = `${plan.lock.remote.push}/${image}:${plan.tag}`;
  const made = outputs['bundle'];
  if (made?.kind !== 'bundle') throw new Error('no output of bundle');
  const found = (await registry.manifest(reference))?.digest;
  if (found !== made.digest) {
    throw new FailureError(
      notIncluded({
        ...{
          component: null,
          place: 'bundle',
          what: `${reference} is not the bundle of this build.`,
        },
        ...{ expected: made.digest, found: found ?? 'no such tag' },
      }),
    );
  }
  const files = await readImageFiles(registry, `${plan.lock.remote.push}/${image}@${found}`);
  const name = `${plan.product.bundle.package}.v${plan.operatorVersion}`;
  const [csvFile, file] =
    [...files].find(([, { content }]) =>
      /^kind: ClusterServiceVersion\b/m.test(content.toString()),
    ) ?? [];
  const csv = file?.content.toString() ?? '';
  if (csvFile === undefined || !csv.includes(name)) {
    const what = 'it has no CSV of this version.';
    const difference = { component: null, place: 'bundle', what, expected: name };
    throw new FailureError(notIncluded({ ...difference, found: csvFile ?? 'no CSV' }));
  }
  return { files, image: `${plan.lock.remote.pull}/${image}@${found}`, csvFile, csv, name };
}

function describe({ component, place, outcome, proof }: Inclusion): string {
  return `${component as ComponentName} · ${place} · ${outcome}: ${proof}`;
}
