import { attempt, demand, type Failure, FailureError } from '../../builds/failure.ts';
import type { Lock, PinnedSource } from '../../plan/lock.ts';
import type { ComponentName } from '../../plan/names.ts';
import { failureAt } from '../../product/place.ts';
import type { Product } from '../../product/product.ts';
import { type UpstreamSource, upstreamSourcesPath } from '../../product/upstream-sources.ts';
import { type CombinedSource, combineSource } from '../../resolve/combine-source.ts';
import type { Mirror } from '../../resolve/git-interface.ts';
import { repositoryOf } from '../../resolve/resolve-product.ts';
import type { ComponentFiles } from '../read-facts.ts';
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
  const entry = prepared.pinned[component];
  const combining = await attempt(() => combineSource(from, component, mirror));
  const combined = demand(
    combining.ok
      ? combining
      : { ...combining, failures: pinnedAt(combining.failures, from, entry) },
  );
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

/** Its files as they are built. */
export function filesOf({ mirror, patched }: PreparedComponent): ComponentFiles {
  return {
    patchesLeft: patched.left,
    read: async (paths) => (await mirror.files(patched.tree, paths)).files,
  };
}

type Failures = readonly [Failure, ...Failure[]];

/** What the product pins and nobody serves is the product's mistake, with a line. */
function pinnedAt(
  failures: Failures,
  from: PinnedSource,
  entry: UpstreamSource | undefined,
): Failures {
  if (from.kind !== 'base' || entry === undefined) return failures;
  const [first, ...rest] = failures.map((failure) =>
    failure.reason !== 'ref-not-found'
      ? failure
      : failureAt(
          { file: upstreamSourcesPath, line: entry.line },
          {
            reason: 'bad-product',
            detail: failure.detail,
            hint: 'Correct `url` and `commit` of the entry, or `repository` of the component in product.yaml. If the repository is private, add a credential for its host to the configuration (git.credentials).',
          },
        ),
  );
  return [first as Failure, ...rest];
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
