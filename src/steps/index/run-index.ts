import { FailureError } from '../../builds/failure.ts';
import { canonicalHash } from '../../plan/canonical-hash.ts';
import { gitTreeSha, textFile } from '../../plan/file-tree.ts';
import type { Key } from '../../plan/names.ts';
import { bundleOf } from '../../plan/plan.ts';
import { publishImage, writeDataImage } from '../data-image.ts';
import { readImageFiles } from '../image-files.ts';
import { gzipLayer } from '../oci-layout.ts';
import type { StepContext, StepProgram } from '../step.ts';
import { writeOpmImage } from './opm-image.ts';
import { renderCatalog } from './render-catalog.ts';

const labels = { 'operators.operatorframework.io.index.configs.v1': '/configs' };

/** Makes the file-based catalog image that offers the bundle in the release's channels, and pushes it. */
export const runIndex: StepProgram<'index'> = async (_step, context) => {
  const { plan, outputs, registry } = context;
  const bundle = bundleOf(outputs);
  if (bundle === undefined) throw new Error('no step made a bundle');
  const { package: name, image } = plan.product.bundle;
  context.progress('rendering the catalog');
  const repository = `${plan.lock.remote.push}/${image}`;
  const files = await readImageFiles(registry, `${repository}@${bundle.digest}`);
  const channels = plan.product.releases[plan.lock.release]?.channels ?? [];
  const catalog = renderCatalog({ files, image: bundle.image }, { name, channels });
  const text = catalog.map((object) => `${JSON.stringify(object, null, 2)}\n`).join('');
  const tree = new Map([[`configs/${name}/catalog.json`, textFile(text)]]);

  const platform = plan.lock.platforms[0] ?? 'linux/amd64';
  const base = indexBase(context);
  const content = { files: gitTreeSha(tree), labels, base, platform };
  const key = canonicalHash({ step: 'index', version: 1, ...content }) as Key;
  const made = await publishImage(context, plan.product.index.image, key, async (folder) => {
    const layer = await gzipLayer(tree);
    return base === null
      ? writeDataImage(folder, platform, labels, [layer])
      : writeOpmImage(registry, base, folder, labels, layer);
  });
  return { kind: 'index', ...made };
};

/** The opm image to build on, by digest; null for an index that is data only. */
function indexBase({ plan }: StepContext): string | null {
  const { serve, base } = plan.product.index;
  if (serve === 'data') return null;
  const pinned = base === undefined ? undefined : plan.bases[base];
  if (pinned !== undefined) return pinned;
  throw new FailureError({
    reason: 'base-image-not-found',
    detail: `product.yaml names ${base === undefined ? 'no opm base image' : `${base} as base`} for the index, and the plan has no digest of it.`,
    hint: 'Name an opm image as `index.base` in product.yaml, or say `serve: data`.',
  });
}
