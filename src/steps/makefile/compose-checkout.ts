import type { AssembledBundle } from '../../bundle/assemble-bundle.ts';
import { type FileTree, placedIn, textFile, withFiles, without } from '../../plan/file-tree.ts';
import type { Plan } from '../../plan/plan.ts';
import { upstreamSourcesPath } from '../../product/upstream-sources.ts';

/**
 * The productization repository as the targets see it: it pins the sources of this build, has the CSV of this
 * build, and none of the patches that a source contains or the request bypasses.
 */
export function composeCheckout(
  product: FileTree,
  plan: Pick<Plan, 'product' | 'patches' | 'upstreamSources'>,
  bundle: Pick<AssembledBundle, 'files'>,
): FileTree {
  const { from } = plan.product.bundle;
  const unwanted = plan.patches
    .filter(({ outcome }) => outcome !== 'applied')
    .map(({ component, patch }) => `${plan.product.components[component]?.patches?.dir}/${patch}`);
  const replaced = [...unwanted, `${from}/manifests`, `${from}/metadata`];
  const rest = replaced.reduce((tree, path) => without(tree, path), product);
  const sources = new Map([[upstreamSourcesPath, textFile(plan.upstreamSources)]]);
  return withFiles(rest, sources, placedIn(from, bundle.files));
}
