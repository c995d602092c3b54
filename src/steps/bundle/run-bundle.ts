import { demand, FailureError } from '../../builds/failure.ts';
import { assembleBundle } from '../../bundle/assemble-bundle.ts';
import type { PlacedImage } from '../../bundle/place-images.ts';
import { canonicalHash } from '../../plan/canonical-hash.ts';
import { type FileTree, gitTreeSha, subtree } from '../../plan/file-tree.ts';
import type { ImageName, Key } from '../../plan/names.ts';
import { type Artifact, readArtifact } from '../artifact.ts';
import { publishImage, writeDataImage } from '../data-image.ts';
import { gzipLayer } from '../oci-layout.ts';
import { artifactRepository, keyTag, type StepContext, type StepProgram } from '../step.ts';

/** Assembles the bundle image from the CSV template and every image's digest, and pushes it. */
export const runBundle: StepProgram<'bundle'> = async (_step, context) => {
  const { plan } = context;
  const release = plan.product.releases[plan.lock.release];
  if (release === undefined) throw new Error(`no release ${plan.lock.release} in the plan`);
  context.progress('assembling the bundle');
  const bundle = demand(
    assembleBundle({
      product: await productFolder(context),
      generated: await generatedFolder(context),
      edits: {
        package: plan.product.bundle.package,
        tag: plan.tag,
        operatorVersion: plan.operatorVersion,
        images: placedImages(context),
        external: plan.product.external,
      },
      baseVersion: release.version,
      channels: release.channels,
    }),
  );
  for (const warning of bundle.warnings) context.log(`warning: ${warning}`);

  const platform = plan.lock.platforms[0] ?? 'linux/amd64';
  const content = { files: gitTreeSha(bundle.files), labels: bundle.labels };
  const key = canonicalHash({ step: 'bundle', version: 1, ...content, platform }) as Key;
  const made = await publishImage(context, plan.product.bundle.image, key, async (folder) =>
    writeDataImage(folder, platform, bundle.labels, [await gzipLayer(bundle.files)]),
  );
  return { kind: 'bundle', ...made };
};

/** `bundle.from` of the productization repository, as prepare left it. */
async function productFolder(context: StepContext): Promise<FileTree> {
  const { productSource, product } = context.plan;
  const source = await artifact(context, productSource.key, 'the productization repository');
  return subtree(source.files, product.bundle.from);
}

/** What the operator's generator made, where the plan runs it. */
async function generatedFolder(context: StepContext): Promise<FileTree | null> {
  const step = context.plan.steps.find(({ kind }) => kind === 'manifests');
  if (step === undefined) return null;
  const output = context.outputs[step.id];
  if (output?.kind !== 'manifests') throw new Error(`no output of ${step.id}`);
  return (await artifact(context, output.key, 'the generated manifests')).files;
}

async function artifact(context: StepContext, key: Key, what: string): Promise<Artifact> {
  const reference = `${artifactRepository(context.plan)}:${keyTag(key)}`;
  const found = await readArtifact(context.registry, context.workdir, reference);
  if (found !== undefined) return found;
  throw new FailureError({
    reason: 'registry-unavailable',
    detail: `${reference}, which holds ${what}, is gone.`,
    hint: 'Run the build again: what is missing is made anew. If it keeps vanishing, the registry removes tags: exempt `key-*`.',
  });
}

/** Every image of the product that the plan has, at the place where a cluster pulls it. */
function placedImages({ plan, outputs }: StepContext): Record<ImageName, PlacedImage> {
  const placed: Record<ImageName, PlacedImage> = {};
  for (const [name, { csv }] of Object.entries(plan.product.images)) {
    const ids = [`operator-payload/${name}`, `image/${name}`];
    const id = ids.find((candidate) => plan.steps.some((step) => step.id === candidate));
    if (id === undefined) continue;
    const output = outputs[id];
    if (output === undefined || !('digest' in output)) throw new Error(`no output of ${id}`);
    placed[name as ImageName] = {
      csv,
      reference: `${plan.lock.remote.pull}/${name}@${output.digest}`,
    };
  }
  return placed;
}
