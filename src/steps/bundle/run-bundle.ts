import { demand } from '../../builds/failure.ts';
import { assembleBundle } from '../../bundle/assemble-bundle.ts';
import type { PlacedImage } from '../../bundle/place-images.ts';
import { canonicalHash } from '../../plan/canonical-hash.ts';
import { gitTreeSha } from '../../plan/file-tree.ts';
import type { ImageName, Key } from '../../plan/names.ts';
import { publishImage, writeDataImage } from '../data-image.ts';
import { gatherBundle } from '../gather-bundle.ts';
import { gzipLayer } from '../oci-layout.ts';
import type { StepContext, StepProgram } from '../step.ts';

/** Assembles the bundle image from the CSV template and every image's digest, and pushes it. */
export const runBundle: StepProgram<'bundle'> = async (_step, context) => {
  const { plan } = context;
  context.progress('assembling the bundle');
  const bundle = demand(assembleBundle(await gatherBundle(context, placedImages(context))));
  for (const warning of bundle.warnings) context.log(`warning: ${warning}`);

  const platform = plan.lock.platforms[0] ?? 'linux/amd64';
  const content = { files: gitTreeSha(bundle.files), labels: bundle.labels };
  const key = canonicalHash({ step: 'bundle', version: 1, ...content, platform }) as Key;
  const made = await publishImage(context, plan.product.bundle.image, key, async (folder) =>
    writeDataImage(folder, platform, bundle.labels, [await gzipLayer(bundle.files)]),
  );
  return { kind: 'bundle', ...made };
};

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
