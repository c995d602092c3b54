import { attempt, demand, type Failure, FailureError } from '../../builds/failure.ts';
import { once } from '../../builds/once.ts';
import type { PayloadFacts } from '../../plan/assemble-plan.ts';
import { sourceKey } from '../../plan/keys.ts';
import type { Lock, PinnedSource } from '../../plan/lock.ts';
import type { ComponentName } from '../../plan/names.ts';
import { isBuilt } from '../../product/is-built.ts';
import { patchFiles } from '../../product/patch-files.ts';
import { failureAt } from '../../product/place.ts';
import type { Payload, Product } from '../../product/product.ts';
import { type UpstreamSource, upstreamSourcesPath } from '../../product/upstream-sources.ts';
import { type CombinedSource, combineSource } from '../../resolve/combine-source.ts';
import type { Mirror } from '../../resolve/git-interface.ts';
import { repositoryOf } from '../../resolve/resolve-product.ts';
import { type ReadFiles, readPayloadFacts } from '../payload-facts.ts';
import { artifactRepository, keyTag } from '../step.ts';
import { applyPatches, type Patched } from './apply-patches.ts';
import type { PrepareContext } from './prepare-context.ts';
import type { PreparedProduct } from './prepare-product.ts';
import { preparedReference, type Recalled, recall } from './recall.ts';

/** The code of a component: fetched, brought together, patched. */
export interface PreparedComponent {
  readonly component: ComponentName;
  readonly from: PinnedSource;
  /** URL of its own repository. */
  readonly url: string;
  readonly combined: CombinedSource;
  readonly patched: Pick<Patched, 'tree' | 'reports' | 'left'>;
  /** What was found out by an earlier build; undefined where this one has to find it out. */
  readonly recalled: Recalled | undefined;
  /** Where it is kept for later ones. */
  readonly reference: string;
  /** Its mirror, which has commit and tree. */
  readonly mirror: () => Promise<Mirror>;
  readonly payloadFacts: (rule: Payload) => Promise<PayloadFacts>;
}

/**
 * Makes the code of a component from what the lock pins, or recalls what came of it before. Throws FailureError where refs or patches
 * conflict. `bases`: the images that patch scripts run in, pinned.
 */
export async function prepareComponent(
  component: ComponentName,
  lock: Lock,
  product: Product,
  prepared: PreparedProduct,
  bases: Readonly<Record<string, string>>,
  context: PrepareContext,
): Promise<PreparedComponent> {
  const { log } = context;
  const from = lock.components[component];
  if (from === undefined) throw new Error(`the lock does not know ${component}`);
  const { url } = repositoryOf(component, product, prepared.pinned);
  const rule = product.components[component]?.patches;
  const patches = rule === undefined ? [] : patchFiles(prepared.files, rule);
  const script = rule?.image === undefined ? {} : { [rule.image]: bases[rule.image] ?? '' };
  const decisive = {
    kind: 'component' as const,
    of: component,
    from,
    url,
    patches,
    images: script,
  };
  const reference = preparedReference(decisive, lock, context.madeBy);
  const make = once(() =>
    makeComponent(component, { lock, product, prepared, bases, url }, context),
  );

  const recalled = await recallComponent(component, reference, lock, product, context);
  const { combined, patched } = recalled ?? (await make());
  log(`${component}: commit ${combined.commit}, tree ${combined.tree}`);
  for (const { patch, outcome, by } of patched.reports) {
    log(`${component}: patch ${patch}: ${outcome} (applied by ${by})`);
  }
  const mirror = async () => (await make()).mirror;
  const payloadFacts = async (rule: Payload) =>
    recalled?.payload ?? readPayloadFacts(rule, readerOf({ patched, mirror }));
  return { component, from, url, combined, patched, recalled, reference, mirror, payloadFacts };
}

/** What an earlier build found out, where the registry has its files, too. */
async function recallComponent(
  component: ComponentName,
  reference: string,
  lock: Lock,
  product: Product,
  context: PrepareContext,
): Promise<Recalled | undefined> {
  const recalled = await recall(reference, context);
  if (recalled === undefined || !isBuilt(component, product)) return recalled;
  const { commit } = recalled.combined;
  const key = sourceKey({ commit, tree: recalled.patched.tree });
  const files = `${artifactRepository({ lock })}:${keyTag(key)}`;
  return (await context.registry.manifest(files)) === undefined ? undefined : recalled;
}

interface Given {
  readonly lock: Lock;
  readonly product: Product;
  readonly prepared: PreparedProduct;
  readonly bases: Readonly<Record<string, string>>;
  readonly url: string;
}

async function makeComponent(
  component: ComponentName,
  { lock, product, prepared, bases, url }: Given,
  context: PrepareContext,
) {
  const from = lock.components[component] as PinnedSource;
  if (from.kind !== 'base') context.progress(`fetching ${component}: ${from.ref} of ${from.url}`);
  const mirror = await context.mirrors.mirror(url);
  const entry = prepared.pinned[component];
  const combining = await attempt(() => combineSource(from, component, mirror));
  const combined = demand(
    combining.ok
      ? combining
      : { ...combining, failures: pinnedAt(combining.failures, from, entry) },
  );
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
  const [first, ...rest] = patched.failures;
  if (first !== undefined) throw new FailureError(first, ...rest);
  return { mirror, combined, patched };
}

/** Reads its files as they are built. */
export function readerOf({
  patched,
  mirror,
}: Pick<PreparedComponent, 'patched' | 'mirror'>): ReadFiles {
  return async (paths) => (await (await mirror()).files(patched.tree, paths)).files;
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
