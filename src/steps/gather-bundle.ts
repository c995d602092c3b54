import type { BundleInputs } from '../bundle/assemble-bundle.ts';
import type { PlacedImages } from '../bundle/place-images.ts';
import { type FileTree, subtree } from '../plan/file-tree.ts';
import { demandArtifact } from './demand-artifact.ts';
import { keyTag, type StepContext } from './step.ts';

/** What the bundle of a build is made of; `images` as in CsvEdits. */
export async function gatherBundle(
  context: StepContext,
  images: PlacedImages | null,
): Promise<BundleInputs> {
  const { plan } = context;
  const release = plan.product.releases[plan.lock.release];
  if (release === undefined) throw new Error(`no release ${plan.lock.release} in the plan`);
  return {
    product: subtree(await productFiles(context), plan.product.bundle.from),
    folder: plan.product.bundle.from,
    generated: await generatedFolder(context),
    edits: {
      package: plan.product.bundle.package,
      tag: plan.tag,
      operatorVersion: plan.operatorVersion,
      images,
      external: plan.product.external,
    },
    release: plan.lock.release,
    baseVersion: release.version,
    channels: release.channels,
  };
}

/** The productization repository, as prepare left it. */
export async function productFiles(context: StepContext): Promise<FileTree> {
  const { key } = context.plan.productSource;
  return (await demandArtifact(context, `:${keyTag(key)}`, 'the productization repository')).files;
}

/** What the operator's generator made, where the plan runs it. */
async function generatedFolder(context: StepContext): Promise<FileTree | null> {
  const step = context.plan.steps.find(({ kind }) => kind === 'manifests');
  if (step === undefined) return null;
  const output = context.outputs[step.id];
  if (output?.kind !== 'manifests') throw new Error(`no output of ${step.id}`);
  return (await demandArtifact(context, `:${keyTag(output.key)}`, 'the generated manifests')).files;
}
