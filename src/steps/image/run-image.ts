import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FailureError } from '../../builds/failure.ts';
import { compileCacheOf } from '../../plan/compile-cache.ts';
import { type FileTree, readText } from '../../plan/file-tree.ts';
import type { Digest } from '../../plan/names.ts';
import type { StepOf } from '../../plan/plan.ts';
import type { ProductImage } from '../../product/product.ts';
import { productFiles } from '../gather-bundle.ts';
import { keepImage } from '../keep-image.ts';
import { readSource } from '../read-source.ts';
import type { StepContext, StepProgram } from '../step.ts';
import { writeTree } from '../write-tree.ts';
import { composeContext } from './compose-context.ts';

/** Makes an image of the product available: by its key if the registry has it, else by a container build. */
export const runImage: StepProgram<'image'> = (step, context) =>
  keepImage(step, context, (byKey) => buildImage(step, byKey, context));

/** Builds the image into a layout; what it returns pushes it. */
async function buildImage(
  step: StepOf<'image'>,
  to: string,
  context: StepContext,
): Promise<() => Promise<Digest>> {
  const { builder, registry, workdir, log, progress, signal } = context;
  demandNetworkAllowed(step, context);
  const image = imageOf(step, context);
  progress('composing the build context');
  const tree = await gatherContext(image, context);
  const dockerfile = readText(tree, image.dockerfile);
  if (dockerfile === undefined) throw noDockerfile(step, image);

  const folder = await mkdtemp(join(workdir, 'build-'));
  const output = join(folder, 'layout');
  await writeTree(tree, join(folder, 'context'));
  progress('building');
  const { bases, args, platform, network } = step;
  const cache = compileCacheOf(step, context.plan);
  await builder.build(
    { context: join(folder, 'context'), dockerfile, bases, args, platform, network, cache, output },
    log,
    signal,
  );
  await rm(join(folder, 'context'), { recursive: true });
  return () => {
    progress('pushing');
    return registry.pushLayout(output, to);
  };
}

async function gatherContext(image: ProductImage, context: StepContext): Promise<FileTree> {
  const { plan } = context;
  const components = [];
  for (const name of image.of) {
    const patches = plan.product.components[name]?.patches;
    const left = plan.sources[name]?.patchesLeft ?? [];
    const source = await readSource(name, context);
    components.push({ name, source, ...(patches && { patches: { dir: patches.dir, left } }) });
  }
  return composeContext({
    product: await productFiles(context),
    folder: image.context,
    components,
  });
}

function imageOf(step: StepOf<'image'>, { plan }: StepContext): ProductImage {
  const image = plan.product.images[step.image];
  if (image === undefined) throw new Error(`the plan's product has no image ${step.image}`);
  return image;
}

/** The plan asks; only the configuration of the machine that builds may allow it. */
function demandNetworkAllowed(step: StepOf<'image'>, { configuration }: StepContext): void {
  if (!step.network || configuration.network.includes(step.image)) return;
  throw new FailureError({
    reason: 'bad-configuration',
    detail: `The build of ${step.image} needs the network, which this machine does not allow.`,
    hint: `Add the image to \`network\` in the configuration: \`network: [${step.image}]\`; or vendor what it downloads and drop \`network: true\` from product.yaml.`,
    about: { image: step.image },
  });
}

function noDockerfile(step: StepOf<'image'>, image: ProductImage): FailureError {
  return new FailureError({
    reason: 'bad-product',
    detail: `The image ${step.image} has no ${image.dockerfile} in ${image.context} of the productization repository.`,
    hint: 'Correct `context` and `dockerfile` of the image in product.yaml, or the ref of the product.',
    about: { image: step.image, file: `${image.context}/${image.dockerfile}` },
  });
}
