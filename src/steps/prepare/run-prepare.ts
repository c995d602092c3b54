import pLimit from 'p-limit';
import {
  attempt,
  demand,
  type Failure,
  FailureError,
  type PartlyRead,
} from '../../builds/failure.ts';
import { assemblePlan } from '../../plan/assemble-plan.ts';
import { sourceKey } from '../../plan/keys.ts';
import type { Lock } from '../../plan/lock.ts';
import type { ComponentName } from '../../plan/names.ts';
import type { Plan, Source } from '../../plan/plan.ts';
import { lockDigest } from '../../plan/tag.ts';
import { isBuilt } from '../../product/is-built.ts';
import type { Product } from '../../product/product.ts';
import { readFacts } from '../read-facts.ts';
import { artifactRepository } from '../step.ts';
import { baseImages, scriptImages } from './base-images.ts';
import { componentProblems } from './component-problems.ts';
import { networkProblems } from './network-problems.ts';
import { type Pinned, pin } from './pin-bases.ts';
import { type PreparedComponent, prepareComponent } from './prepare-component.ts';
import type { PrepareContext } from './prepare-context.ts';
import { type PreparedProduct, prepareProduct } from './prepare-product.ts';
import { exportCommits, publishPlan, publishSource } from './publish.ts';
import { keep } from './recall.ts';
import { updateSources } from './update-sources.ts';

/**
 * From a lock to its plan: fetches, merges and patches every source, keeps them as artifacts, pins base
 * images, and decides every step with its key. Throws FailureError with everything that stands in the way.
 */
export async function prepare(
  lock: Lock,
  product: Product,
  context: PrepareContext,
): Promise<Plan> {
  const prepared = await prepareProduct(lock, product, context);
  const outside = await lookOutside(lock, product, prepared, context);
  const [first, ...rest] = [...prepared.problems, ...outside.problems];
  if (first !== undefined) throw new FailureError(first, ...rest);
  const { components, pinned } = outside.value;
  context.progress('deciding what has to be built');
  const plan = await decide(lock, product, prepared, components, pinned, context);
  if (context.publish) await publish(plan, prepared, components, context);
  return plan;
}

/**
 * What the components' sources and the registry tell of a product that is wrong by itself, so that all is told at once. The
 * lock holds what of it is right; nothing is published.
 */
export async function problemsOutside(
  lock: Lock,
  product: Product,
  context: PrepareContext,
): Promise<readonly Failure[]> {
  const looking = { ...context, publish: false };
  const prepared = await prepareProduct(lock, product, looking);
  return (await lookOutside(lock, product, prepared, looking)).problems;
}

interface Outside {
  readonly components: readonly PreparedComponent[];
  readonly pinned: Pinned;
}

/** Everything beside the productization repository: what is there, and all that stands in the way. */
async function lookOutside(
  lock: Lock,
  product: Product,
  prepared: PreparedProduct,
  context: PrepareContext,
): Promise<PartlyRead<Outside>> {
  const sound = prepared.problems.length === 0;
  const asking = { ...context, publish: context.publish && sound };
  const scripts = await attempt(() => pinScriptImages(lock, product, asking));
  const images = scripts.ok ? scripts.value : undefined;
  const { components, failures } = await prepareComponents(
    lock,
    product,
    prepared,
    images,
    context,
  );
  context.progress('pinning base images');
  const publishing = asking.publish && failures.length === 0 && scripts.ok;
  const outside = await attempt(() =>
    pinOutside(lock, product, prepared, components, { ...context, publish: publishing }),
  );
  const found = outside.ok ? outside.value : { bases: {}, versions: {} };
  return {
    value: { components, pinned: { ...found, bases: { ...images, ...found.bases } } },
    problems: [
      ...(scripts.ok ? [] : scripts.failures),
      ...failures,
      ...(outside.ok ? [] : outside.failures),
      ...networkProblems(lock, product, context),
    ],
  };
}

/** The images that patch scripts run in: they decide what is built, and so they are pinned before everything else. */
async function pinScriptImages(
  lock: Lock,
  product: Product,
  context: PrepareContext,
): Promise<Pinned['bases']> {
  const images = scriptImages(product, context.locate);
  if (images.size === 0) return {};
  const { tag } = context;
  const reference = `${artifactRepository({ lock })}:${tag}-script-bases`;
  return (await pin(reference, { images, versions: async () => ({}) }, context)).bases;
}

/**
 * All components at once, and what stands in the way of any of them. Without `scripts`, those that need a script image are
 * left out.
 */
async function prepareComponents(
  lock: Lock,
  product: Product,
  prepared: PreparedProduct,
  scripts: Pinned['bases'] | undefined,
  context: PrepareContext,
): Promise<{ components: readonly PreparedComponent[]; failures: readonly Failure[] }> {
  const limit = pLimit(4);
  const names = (Object.keys(prepared.pinned) as ComponentName[])
    .filter((name) => scripts !== undefined || !product.components[name]?.patches?.image)
    .sort();
  const outcomes = await Promise.all(
    names.map((name) =>
      limit(async () => {
        const outcome = await attempt(() =>
          prepareComponent(name, lock, product, prepared, scripts ?? {}, context),
        );
        if (!outcome.ok) return outcome;
        const problems = await componentProblems(outcome.value, product, context.locate);
        return { ...outcome, problems };
      }),
    ),
  );
  return {
    components: outcomes.flatMap((outcome) => (outcome.ok ? [outcome.value] : [])),
    failures: outcomes.flatMap((outcome) => (outcome.ok ? outcome.problems : outcome.failures)),
  };
}

async function pinOutside(
  lock: Lock,
  product: Product,
  { distgit }: PreparedProduct,
  components: readonly PreparedComponent[],
  context: PrepareContext,
): Promise<Pinned> {
  const images = baseImages(lock, product, distgit, context.locate);
  const versions = async () => Object.fromEntries(await Promise.all(components.map(findVersion)));
  const reference = `${artifactRepository({ lock })}:${context.tag}-bases`;
  return pin(reference, { images, versions }, context);
}

async function findVersion({ component, recalled, combined, ...prepared }: PreparedComponent) {
  if (recalled !== undefined) return [component, recalled.version] as const;
  const mirror = await prepared.mirror();
  await mirror.fetchTags();
  return [component, (await mirror.nearestVersion(combined.commit)) ?? '0.0.0'] as const;
}

async function decide(
  lock: Lock,
  product: Product,
  prepared: PreparedProduct,
  components: readonly PreparedComponent[],
  pinned: Pinned,
  { tag, builder, madeBy, configuration }: PrepareContext,
): Promise<Plan> {
  const service = serviceUrl(configuration);
  const { upstreamSources: text, pinned: entries } = prepared;
  return assemblePlan({
    tag,
    lockDigest: lockDigest(lock),
    lock,
    product,
    sources: byComponent(components, (one) => sourceOf(one, pinned)),
    productSource: productSourceOf(lock, prepared),
    ...(await readFacts(product, prepared, byComponent(components, factsOf))),
    patches: components.flatMap(({ patched }) => patched.reports),
    bases: pinned.bases,
    upstreamSources: demand(updateSources(text, product, components, entries, tag, service)),
    tools: builder.tools,
    madeBy,
  });
}

/** Where a service serves what is exported. A command by itself does not listen: port 0 is none that a URL can name. */
function serviceUrl({ url, listen }: PrepareContext['configuration']): string {
  return url?.replace(/\/+$/, '') ?? `http://${listen.replace(/:0$/, ':8080')}`;
}

function factsOf({ patched, payloadFacts }: PreparedComponent) {
  return { patchesLeft: patched.left, payloadFacts };
}

function sourceOf(
  { component, from, combined, patched }: PreparedComponent,
  pinned: Pinned,
): Source {
  return {
    from,
    requested: from.kind !== 'base',
    commit: combined.commit,
    commitTree: combined.tree,
    tree: patched.tree,
    key: sourceKey({ commit: combined.commit, tree: patched.tree }),
    version: pinned.versions[component] ?? '0.0.0',
    patchesLeft: patched.left,
  };
}

function productSourceOf({ product: { source } }: Lock, { commit, tree }: PreparedProduct): Source {
  const requested = source.kind !== 'base';
  const key = sourceKey({ commit, tree });
  return {
    from: source,
    requested,
    commit,
    commitTree: tree,
    tree,
    key,
    version: '0.0.0',
    patchesLeft: [],
  };
}

async function publish(
  plan: Plan,
  prepared: PreparedProduct,
  components: readonly PreparedComponent[],
  context: PrepareContext,
): Promise<void> {
  const repository = artifactRepository(plan);
  const { product, productSource } = plan;
  await publishSource(product.product, productSource, prepared.mirror, [], repository, context);
  for (const { component, mirror, patched } of components) {
    const source = plan.sources[component];
    if (source === undefined || !isBuilt(component, product)) continue;
    const applied = patched.reports.filter(
      ({ outcome, by }) => outcome === 'applied' && by === 'tributary',
    );
    const patches = applied.map(({ patch }) => patch);
    await publishSource(component, source, mirror, patches, repository, context);
  }
  if (context.exports !== false) await exportCommits(plan, prepared, components, context);
  await publishPlan(plan, context);
  await keepPrepared(plan, prepared, components, context);
}

/** Later builds need not fetch what this one did. */
async function keepPrepared(
  { product, sources }: Plan,
  { commit, tree, ...prepared }: PreparedProduct,
  components: readonly PreparedComponent[],
  context: PrepareContext,
): Promise<void> {
  if (prepared.recalled === undefined) {
    const patched = { tree, reports: [], left: [] };
    const found = { combined: { commit, tree }, patched, version: '0.0.0', payload: undefined };
    await keep(prepared.reference, found, context);
  }
  for (const { component, recalled, reference, combined, patched, payloadFacts } of components) {
    if (recalled !== undefined) continue;
    const rule = product.components[component]?.payload;
    const payload = rule === undefined ? undefined : await payloadFacts(rule);
    const version = sources[component]?.version ?? '0.0.0';
    await keep(reference, { combined, patched, version, payload }, context);
  }
}

function byComponent<Value>(
  components: readonly PreparedComponent[],
  value: (component: PreparedComponent) => Value,
): Record<ComponentName, Value> {
  const entries = components.map((one) => [one.component, value(one)] as const);
  return Object.fromEntries(entries) as Record<ComponentName, Value>;
}
