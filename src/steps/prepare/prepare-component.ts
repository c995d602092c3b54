import { FailureError } from '../../builds/failure.ts';
import type { Lock, PinnedSource } from '../../plan/lock.ts';
import type { ComponentName } from '../../plan/names.ts';
import type { Product } from '../../product/product.ts';
import { type CombinedSource, combineSource } from '../../resolve/combine-source.ts';
import type { Mirror } from '../../resolve/git-interface.ts';
import { repositoryOf } from '../../resolve/resolve-product.ts';
import { applyPatches, type Patched } from './apply-patches.ts';
import type { PrepareContext } from './prepare-context.ts';
import type { PreparedProduct } from './prepare-product.ts';

/** The code of a component: fetched, brought together, patched. */
export interface PreparedComponent {
  readonly component: ComponentName;
  readonly from: PinnedSource;
  /** URL of its own repository. */
  readonly url: string;
  readonly mirror: Mirror;
  readonly combined: CombinedSource;
  readonly patched: Patched;
}

/**
 * Makes the code of a component from what the lock pins. Throws FailureError where refs or patches conflict.
 * `bases`: the images that patch scripts run in, pinned.
 */
export async function prepareComponent(
  component: ComponentName,
  lock: Lock,
  product: Product,
  prepared: PreparedProduct,
  bases: Readonly<Record<string, string>>,
  context: PrepareContext,
): Promise<PreparedComponent> {
  const { mirrors, log, progress } = context;
  const from = lock.components[component];
  if (from === undefined) throw new Error(`the lock does not know ${component}`);
  const { url } = repositoryOf(component, product, prepared.pinned);
  if (from.kind !== 'base') progress(`fetching ${component}: ${from.ref} of ${from.url}`);
  const mirror = await mirrors.mirror(url);
  const combined = await combineSource(from, component, mirror);
  log(`${component}: commit ${combined.commit}, tree ${combined.tree}`);
  const rule = product.components[component]?.patches;
  const patched: Patched =
    rule === undefined
      ? { tree: combined.tree, reports: [], left: [], failures: [] }
      : await applyPatches(
          component,
          rule,
          lock.patches[component],
          prepared.files,
          { tree: combined.tree, ref: describe(from) },
          mirror,
          { ...context, plan: { bases, lock } },
        );
  for (const { patch, outcome, by } of patched.reports) {
    log(`${component}: patch ${patch}: ${outcome} (applied by ${by})`);
  }
  const [first, ...rest] = patched.failures;
  if (first !== undefined) throw new FailureError(first, ...rest);
  return { component, from, url, mirror, combined, patched };
}

function describe(source: PinnedSource): string {
  const commit = source.commit.slice(0, 12);
  switch (source.kind) {
    case 'base':
      return `${source.branch} (${commit})`;
    case 'head':
      return `${source.ref} (${commit})`;
    case 'merge':
      return `${source.ref} (${commit}) merged into ${source.base.branch}`;
    case 'pick':
      return `${source.ref} (${commit}) picked onto ${source.onto.slice(0, 12)}`;
  }
}
