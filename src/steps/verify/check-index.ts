import type { Failure } from '../../builds/failure.ts';
import { readLayerFiles, readManifest } from '../image-files.ts';
import type { StepContext } from '../step.ts';
import { notIncluded } from './not-included.ts';

interface CatalogObject {
  readonly schema?: unknown;
  readonly name?: unknown;
  readonly image?: unknown;
  readonly entries?: readonly { readonly name?: unknown }[];
}

/** Checks that the index under the build's tag offers exactly this bundle, in every channel. */
export async function checkIndex(
  bundleImage: string,
  bundleName: string,
  context: StepContext,
): Promise<Failure[]> {
  const { plan, registry } = context;
  const repository = `${plan.lock.remote.push}/${plan.product.index.image}`;
  const manifest = await readManifest(registry, `${repository}:${plan.tag}`);
  const differ = (what: string, expected: string, found: string) =>
    notIncluded({ component: null, place: 'index', what, expected, found });
  const top = manifest?.layers.at(-1);
  if (top === undefined) {
    return [differ('there is no index of this build.', `${repository}:${plan.tag}`, 'nothing')];
  }
  const files = await readLayerFiles(registry, repository, top);
  const path = `configs/${plan.product.bundle.package}/catalog.json`;
  const catalog = parseCatalog(files.get(path)?.content.toString() ?? '');
  const bundles = catalog.filter(({ schema }) => schema === 'olm.bundle');
  const images = bundles.map(({ image }) => String(image)).join(', ') || 'none';
  if (images !== bundleImage) return [differ('it offers another bundle.', bundleImage, images)];
  const channels = plan.product.releases[plan.lock.release]?.channels ?? [];
  return channels
    .filter((channel) => {
      const found = catalog.find((one) => one.schema === 'olm.channel' && one.name === channel);
      return !found?.entries?.some(({ name }) => name === bundleName);
    })
    .map((channel) =>
      differ('a channel lacks the bundle.', `${bundleName} in ${channel}`, 'nothing'),
    );
}

/** Our catalogs are indented JSON documents, one after the other. */
function parseCatalog(text: string): CatalogObject[] {
  return text
    .split(/\n(?=\{)/)
    .filter((part) => part.trim() !== '')
    .map((part) => JSON.parse(part) as CatalogObject);
}
