import pLimit from 'p-limit';
import type { Failure } from '../../builds/failure.ts';
import type { FileTree } from '../../plan/file-tree.ts';
import { subtree } from '../../plan/file-tree.ts';
import type { StepOf } from '../../plan/plan.ts';
import { readArtifact } from '../artifact.ts';
import type { ComponentPayload } from '../assemble-kodata.ts';
import { readLayerFiles, readManifest } from '../image-files.ts';
import { PayloadMetadata } from '../payload-artifact.ts';
import { artifactRepository, keyTag, type StepContext } from '../step.ts';
import type { FoundImage } from './check-images.ts';
import { compareKodata, type KodataDifference } from './compare-kodata.ts';
import { notIncluded } from './not-included.ts';
import { readImageFolder } from './read-image-file.ts';

/** Reads the payloads of the plan back and checks every image that carries them. */
export async function checkPayloads(
  operators: readonly FoundImage[],
  context: StepContext,
): Promise<{ payloads: ComponentPayload[]; failures: Failure[] }> {
  const { payloads, failures } = await readPayloads(context);
  if (failures.length > 0) return { payloads, failures };
  const check = context.plan.lock.strategy === 'images' ? checkPayload : checkMadePayload;
  const found = await Promise.all(operators.map((image) => check(image, payloads, context)));
  return { payloads, failures: found.flat() };
}

const payloadsAtOnce = 3;

async function readPayloads(context: StepContext): Promise<{
  payloads: ComponentPayload[];
  failures: Failure[];
}> {
  const steps = context.plan.steps.filter((step) => step.kind === 'payload');
  const read = await pLimit(payloadsAtOnce).map(steps, (step) => readPayload(step, context));
  return {
    payloads: read.flatMap((one) => ('files' in one ? [one] : [])),
    failures: read.flatMap((one) => ('files' in one ? [] : [one])),
  };
}

async function readPayload(
  step: StepOf<'payload'>,
  { plan, registry }: StepContext,
): Promise<ComponentPayload | Failure> {
  if (step.key === null) throw new Error(`${step.id} has no key`);
  const reference = `${artifactRepository(plan)}:${keyTag(step.key)}`;
  const artifact = await readArtifact(registry, reference);
  if (artifact !== undefined)
    return { metadata: PayloadMetadata.parse(artifact.metadata), files: artifact.files };
  const what = 'its artifact is not in the registry.';
  const difference = { component: step.component, place: 'payload', what };
  return notIncluded({ ...difference, expected: reference, found: 'nothing' });
}

/**
 * Checks an operator image: the layers of the image without payload, and on top exactly one data layer that
 * hides the folder below and holds the payloads file by file, and nothing else.
 */
async function checkPayload(
  { name, digest, withoutPayload }: FoundImage,
  payloads: readonly ComponentPayload[],
  { plan, registry }: StepContext,
): Promise<Failure[]> {
  const repository = `${plan.lock.remote.push}/${name}`;
  const image = await readManifest(registry, `${repository}@${digest}`);
  const base = await readManifest(registry, `${repository}@${withoutPayload}`);
  const folder = (plan.product.images[name]?.kodata ?? '').replace(/^\//, '');
  const place = `payload in image/${name}`;
  const top = image?.layers.at(-1);
  const below = image?.layers
    .slice(0, -1)
    .map((layer) => layer.digest)
    .join(' ');
  const expectedBelow = base?.layers.map((layer) => layer.digest).join(' ');
  if (top === undefined || below !== expectedBelow) {
    const what = 'it is not the operator image with one layer on top.';
    const expected = `${base?.layers.length ?? 'no'} layers of the image without payload, and one more`;
    const found = `${image?.layers.length ?? 'no'} layers, or others`;
    return [notIncluded({ component: null, place, what, expected, found })];
  }
  const layer = await readLayerFiles(registry, repository, top);
  return compareLayer(layer, folder, payloads).map((difference) =>
    notIncluded({ ...difference, place }),
  );
}

/** Checks an image that a Makefile made: whatever its layers are, its folder has to be the payloads. */
async function checkMadePayload(
  { name, digest }: FoundImage,
  payloads: readonly ComponentPayload[],
  { plan, registry }: StepContext,
): Promise<Failure[]> {
  const repository = `${plan.lock.remote.push}/${name}`;
  const folder = plan.product.images[name]?.kodata ?? '';
  const kodata = await readImageFolder(registry, repository, digest, folder);
  return compareKodata(kodata, payloads).map((difference) =>
    notIncluded({ ...difference, place: `payload in image/${name}` }),
  );
}

const opaque = '.wh..wh..opq';

/** What a data layer holds, against what the payloads ask for. */
function compareLayer(
  layer: FileTree,
  folder: string,
  payloads: readonly ComponentPayload[],
): KodataDifference[] {
  const differences: KodataDifference[] = [];
  const kodata = new Map(subtree(layer, folder));
  if (!kodata.delete(opaque)) {
    const what = `the layer does not hide what the layers below have in ${folder}.`;
    differences.push({ component: null, what, expected: `${folder}/${opaque}`, found: 'nothing' });
  }
  const outside = [...layer.keys()].filter((path) => !path.startsWith(`${folder}/`));
  for (const path of outside) {
    differences.push({
      component: null,
      what: 'the layer changes more than the payload.',
      expected: 'nothing',
      found: path,
    });
  }
  return [...differences, ...compareKodata(kodata, payloads)];
}
