import { createHash } from 'node:crypto';
import type { ImageFacts, PayloadFacts, PlanFacts } from '../plan/assemble-plan.ts';
import { gitTreeSha, without } from '../plan/file-tree.ts';
import type { ComponentName, ImageName } from '../plan/names.ts';
import { patchFiles } from '../product/patch-files.ts';
import type { Payload, Product, ProductImage } from '../product/product.ts';
import { repositoryOf } from '../resolve/resolve-product.ts';
import type { ProductFiles } from './product-files.ts';

/** A component, as far as a plan depends on its files. */
export interface ComponentFiles {
  /** Patches that its Dockerfiles have to apply. */
  readonly patchesLeft: readonly string[];
  /** What its payload is rendered from; asked only where it has one. */
  readonly payloadFacts: (rule: Payload) => Promise<PayloadFacts>;
}

/**
 * What the files of the product and its components say for a plan. `prepare` makes the plan of it, and
 * `verify` makes it again of what it read back: what decides a key is gathered here alone.
 */
export async function readFacts(
  product: Product,
  productFiles: ProductFiles,
  components: Readonly<Record<ComponentName, ComponentFiles>>,
): Promise<Pick<PlanFacts, 'urls' | 'images' | 'payloads'>> {
  const urls: Record<ComponentName, string> = {};
  const payloads: Record<ComponentName, PayloadFacts> = {};
  for (const [component, { payload }] of entries(product.components)) {
    urls[component] = repositoryOf(component, product, productFiles.pinned).url;
    if (payload === undefined) continue;
    const files = components[component];
    if (files === undefined) throw new Error(`nobody has the files of ${component}`);
    payloads[component] = await files.payloadFacts(payload);
  }
  const images: Record<ImageName, ImageFacts> = {};
  for (const [name, image] of entries(product.images))
    images[name] = imageFacts(name, image, product, productFiles, components);
  return { urls, images, payloads };
}

function imageFacts(
  name: ImageName,
  { of }: ProductImage,
  product: Product,
  { files, distgit }: ProductFiles,
  components: Readonly<Record<ComponentName, ComponentFiles>>,
): ImageFacts {
  const read = distgit.images[name];
  if (read === undefined) throw new Error(`nothing was read of ${name}`);
  const patched = of.filter((component) => product.components[component]?.patches !== undefined);
  const patches = patched.flatMap((component) => {
    const left = new Set(components[component]?.patchesLeft);
    return patchFiles(files, product.components[component]?.patches ?? { dir: '.' })
      .filter(([patch]) => left.has(patch))
      .map(([patch, content]) => [`${component}/${patch}`, sha256(content)] as const);
  });
  // What the folder has as patches/ gives way to what is left to apply.
  const context = patched.length > 0 ? without(read.context, 'patches') : read.context;
  return {
    dockerfile: read.dockerfile,
    context: gitTreeSha(context),
    patches: Object.fromEntries(patches),
  };
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function entries<Name extends string, Value>(
  record: Readonly<Record<Name, Value>>,
): (readonly [Name, Value])[] {
  return Object.entries(record) as [Name, Value][];
}
