import { z } from 'zod';
import { type Failure, FailureError } from '../../builds/failure.ts';
import { describePlace, failureAt, type Place } from '../../product/place.ts';
import { readArtifact, writeArtifact } from '../artifact.ts';
import type { Registry } from '../step.ts';

/** What may change in the world while a build of a tag is repeated, as it was when its first attempt looked. */
const Pinned = z.object({
  bases: z.record(z.string(), z.string()),
  versions: z.record(z.string(), z.string()),
});
export type Pinned = z.infer<typeof Pinned>;

/** What is to be pinned. */
export interface Unpinned {
  /** Base images as written, build arguments put in, with the places that name them. */
  readonly images: ReadonlyMap<string, readonly [Place, ...Place[]]>;
  /** Looks up the version of each component. */
  readonly versions: () => Promise<Readonly<Record<string, string>>>;
}

interface PinContext {
  readonly registry: Registry;
  readonly workdir: string;
  readonly publish: boolean;
  log(text: string): void;
}

/**
 * Digests of base images and versions of components, looked up once for each tag: every later prepare of
 * that tag reads from `reference` what the first one found, so that all attempts of a build are the same build.
 */
export async function pin(
  reference: string,
  wanted: Unpinned,
  context: PinContext,
): Promise<Pinned> {
  const before = await readPinned(reference, context);
  if (before !== undefined)
    return { ...before, bases: await pinBases(wanted.images, before.bases, context) };
  const found: Pinned = {
    bases: await pinBases(wanted.images, {}, context),
    versions: { ...(await wanted.versions()) },
  };
  if (!context.publish) return found;
  const content = { kind: 'bases', metadata: found, files: new Map() };
  await writeArtifact(context.registry, context.workdir, reference, content);
  // Another prepare of this tag may have written at the same moment: what stands there counts for both.
  return (await readPinned(reference, context)) ?? found;
}

async function readPinned(reference: string, { registry }: PinContext) {
  const artifact = await readArtifact(registry, reference);
  return artifact === undefined ? undefined : Pinned.parse(artifact.metadata);
}

async function pinBases(
  images: Unpinned['images'],
  known: Readonly<Record<string, string>>,
  { registry, log }: PinContext,
): Promise<Record<string, string>> {
  const missing = [...images.keys()].filter((image) => known[image] === undefined).sort();
  const found = await Promise.all(
    missing.map(async (image) => {
      const manifest = await registry.manifest(fullReference(image));
      if (manifest !== undefined) log(`base image ${image} is ${manifest.digest}`);
      return [image, manifest?.digest] as const;
    }),
  );
  const gone = found.filter(([, digest]) => digest === undefined);
  const [first, ...rest] = gone.map(([image]) => noSuchBase(image, images.get(image)));
  if (first !== undefined) throw new FailureError(first, ...rest);
  const pinned = found.map(
    ([image, digest]) => [image, `${repositoryOf(fullReference(image))}@${digest}`] as const,
  );
  return { ...known, ...Object.fromEntries(pinned) };
}

/** A reference with a tag or digest; without either, `latest` is meant. */
function fullReference(image: string): string {
  return image.includes('@') || /:[^/]+$/.test(image) ? image : `${image}:latest`;
}

function repositoryOf(reference: string): string {
  return reference.replace(/@sha256:[0-9a-f]{64}$/, '').replace(/:[^/:]+$/, '');
}

function noSuchBase(
  image: string,
  [place, ...others]: readonly Place[] = [{ file: 'product.yaml' }],
): Failure {
  const also = others.length === 0 ? '' : ` Also named at ${others.map(describePlace).join(', ')}.`;
  return failureAt(place ?? { file: 'product.yaml' }, {
    reason: 'base-image-not-found',
    detail: `the base image ${image} does not exist, or may not be read.${also}`,
    hint: 'Check the FROM line (or `image` in product.yaml). Where it lies elsewhere or needs a login, say so in the configuration (`mirrors`, `authfile`).',
    about: { image },
  });
}
