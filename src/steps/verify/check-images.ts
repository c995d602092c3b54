import pLimit from 'p-limit';
import type { Failure } from '../../builds/failure.ts';
import type { Digest, ImageName } from '../../plan/names.ts';
import { operatorPayloadKey } from '../../plan/operator-payload-key.ts';
import type { ProductImage } from '../../product/product.ts';
import { artifactRepository, keyTag, type StepContext } from '../step.ts';
import { type CsvImage, isPlaceOf } from './csv-images.ts';
import { notIncluded } from './not-included.ts';

/** An image of the product as the registry has it under its key. */
export interface FoundImage {
  readonly name: ImageName;
  /** Of the image that the bundle is to name. */
  readonly digest: Digest;
  /** Operator images: digest of the image without its payload; null also where a Makefile made it whole. */
  readonly withoutPayload: Digest | null;
  /** Whether the CSV names it. */
  readonly named: boolean;
}

/** Compares what the CSV names with what the registry has: under the keys of the plan, or where a Makefile pushed it. */
export async function checkImages(
  csv: readonly CsvImage[],
  context: StepContext,
): Promise<{ images: FoundImage[]; failures: Failure[] }> {
  const { plan } = context;
  const byKey = plan.lock.strategy === 'images';
  const planned = plan.steps.flatMap((step) => (step.kind === 'image' ? [step.image] : []));
  const names = byKey ? planned : (Object.keys(plan.product.images) as ImageName[]);
  const checked = await pLimit(imagesAtOnce).map(names, (name) => checkImage(name, csv, context));
  return {
    images: checked.flatMap(({ image }) => image ?? []),
    failures: checked.flatMap(({ failures }) => failures),
  };
}

/** A registry answers many small questions at once as quickly as one. */
const imagesAtOnce = 8;

async function checkImage(
  name: ImageName,
  csv: readonly CsvImage[],
  context: StepContext,
): Promise<{ image?: FoundImage; failures: Failure[] }> {
  const { plan } = context;
  const byKey = plan.lock.strategy === 'images';
  const product = plan.product.images[name];
  if (product === undefined) throw new Error(`the plan's product has no image ${name}`);
  const found = byKey ? await findByKey(name, product, context) : await findByTag(name, context);
  if ('missing' in found) {
    const what = `its ${byKey ? 'key' : 'tag'} is not in the registry.`;
    return { failures: [different(name, product, what, found.missing, 'nothing')] };
  }
  const prefix = `${plan.lock.remote.pull}/${name}@`;
  const named = csv.some(({ reference }) => reference.startsWith(prefix));
  const failures = await comparePlaces(name, product, found.digest, csv, context);
  return { image: { name, ...found, named }, failures };
}

async function findByTag(name: ImageName, { plan, registry }: StepContext) {
  const found = await registry.manifest(`${plan.lock.remote.push}/${name}:${plan.tag}`);
  return found === undefined
    ? { missing: plan.tag }
    : { digest: found.digest, withoutPayload: null };
}

/** The digest that a key of the plan stands for now; asked of the registry, not of what the steps said. */
async function findByKey(
  name: ImageName,
  { kodata }: ProductImage,
  { plan, registry }: StepContext,
): Promise<{ missing: string } | Pick<FoundImage, 'digest' | 'withoutPayload'>> {
  const key = plan.steps.find(({ id }) => id === `image/${name}`)?.key;
  if (key === undefined || key === null) throw new Error(`image/${name} has no key`);
  const repository = `${plan.lock.remote.push}/${name}`;
  const image = await registry.manifest(`${repository}:${keyTag(key)}`);
  if (image === undefined) return { missing: keyTag(key) };
  const step = plan.steps.find((one) => one.kind === 'operator-payload' && one.image === name);
  if (kodata === undefined || step === undefined)
    return { digest: image.digest, withoutPayload: null };
  const payloads: Record<string, Digest> = {};
  for (const payload of plan.steps) {
    if (payload.kind !== 'payload' || !step.needs.includes(payload.id)) continue;
    if (payload.key === null) throw new Error(`${payload.id} has no key`);
    const tag = keyTag(payload.key);
    const artifact = await registry.manifest(`${artifactRepository(plan)}:${tag}`);
    if (artifact === undefined) return { missing: tag };
    payloads[payload.component] = artifact.digest;
  }
  const full = operatorPayloadKey({ image: image.digest, payloads, kodata });
  const found = await registry.manifest(`${repository}:${keyTag(full)}`);
  if (found === undefined) return { missing: keyTag(full) };
  return { digest: found.digest, withoutPayload: image.digest };
}

/** Every place that is to name the image names this digest, and so does the build's tag. */
async function comparePlaces(
  name: ImageName,
  product: ProductImage,
  digest: Digest,
  csv: readonly CsvImage[],
  { plan, registry }: StepContext,
): Promise<Failure[]> {
  const expected = `${plan.lock.remote.pull}/${name}@${digest}`;
  const repository = `${plan.lock.remote.pull}/${name}`;
  const failures = csv
    .filter((image) => isPlaceOf(image, product) || isOf(image.reference, repository))
    .filter(({ reference }) => reference !== expected)
    .map((image) => {
      const where = `${image.kind} ${image.name} of the CSV names another image.`;
      return different(name, product, where, expected, image.reference);
    });
  const mapped = [...product.csv.env, ...product.csv.containers, ...product.csv.related].length > 0;
  if (mapped && !csv.some(({ reference }) => isOf(reference, repository))) {
    failures.push(different(name, product, 'the CSV does not name it.', expected, 'no such image'));
  }
  const tagged = await registry.manifest(`${plan.lock.remote.push}/${name}:${plan.tag}`);
  if (tagged?.digest !== digest) {
    const found = tagged?.digest ?? 'no such tag';
    failures.push(
      different(name, product, `the tag ${plan.tag} is not this image.`, digest, found),
    );
  }
  return failures;
}

function isOf(reference: string, repository: string): boolean {
  return reference.startsWith(`${repository}@`) || reference.startsWith(`${repository}:`);
}

function different(
  name: ImageName,
  { of }: ProductImage,
  what: string,
  expected: string,
  found: string,
): Failure {
  return notIncluded({ component: of.join(', '), place: `image/${name}`, what, expected, found });
}
