import type { Failure } from '../../builds/failure.ts';
import { assemblePlan } from '../../plan/assemble-plan.ts';
import { canonicalText } from '../../plan/canonical-hash.ts';
import type { FileTree } from '../../plan/file-tree.ts';
import { sourceKey } from '../../plan/keys.ts';
import type { PinnedSource } from '../../plan/lock.ts';
import type { ComponentName, TreeSha } from '../../plan/names.ts';
import type { Plan, Source, Step } from '../../plan/plan.ts';
import { lockDigest, tagFor, tagHex } from '../../plan/tag.ts';
import { productDigest } from '../../product/load-product.ts';
import { type ReadFiles, readPayloadFacts } from '../payload-facts.ts';
import { readProductFiles } from '../product-files.ts';
import { type ComponentFiles, readFacts } from '../read-facts.ts';
import { keyTag, type StepContext } from '../step.ts';
import { notIncluded } from './not-included.ts';

/** A source that was read back. */
export interface ReadSource {
  readonly files: FileTree;
  /** Tree of the files: what was proven by the commit. */
  readonly tree: TreeSha;
}

/** All sources that were read back. */
export interface ReadSources {
  readonly product: ReadSource;
  readonly components: ReadonlyMap<ComponentName, ReadSource>;
}

/**
 * Proves that the plan follows from the lock and the sources that were read back: it is made again of them, by the
 * same functions, and every key, argument, base and reference in it must come out the same. So a key that
 * the registry has an image under is the key of that source tree, whatever the plan says.
 */
export async function checkPlan(
  read: ReadSources,
  { plan, builder }: Pick<StepContext, 'plan' | 'builder'>,
): Promise<Failure[]> {
  const elsewhere = compareLock(plan);
  if (elsewhere.length > 0) return elsewhere;
  const again = await assembleAgain(read, plan, builder.tools);
  const steps = new Map(plan.steps.map((step) => [step.id, step]));
  return [
    ...compareSources(again, plan),
    ...again.steps.flatMap((step) => compareStep(step, steps.get(step.id), plan) ?? []),
    ...compareIds(again, plan),
  ];
}

async function assembleAgain(read: ReadSources, plan: Plan, tools: string): Promise<Plan> {
  const { lock, product } = plan;
  const productFiles = readProductFiles(read.product.files, product, 'the source of the product');
  const sources: Record<ComponentName, Source> = {};
  const components: Record<ComponentName, ComponentFiles> = {};
  for (const [component, from] of Object.entries(lock.components) as [
    ComponentName,
    PinnedSource,
  ][]) {
    const stated = plan.sources[component];
    if (stated === undefined) throw new Error(`the plan has no source of ${component}`);
    const source = read.components.get(component);
    sources[component] = sourceAgain(stated, from, source);
    const { patchesLeft } = stated;
    if (source === undefined) continue;
    const reader = readerOf(source.files);
    components[component] = { patchesLeft, payloadFacts: (rule) => readPayloadFacts(rule, reader) };
  }
  return assemblePlan({
    tag: plan.tag,
    lockDigest: lockDigest(lock),
    lock,
    product,
    sources,
    productSource: sourceAgain(plan.productSource, lock.product.source, read.product),
    patches: plan.patches,
    bases: plan.bases,
    upstreamSources: plan.upstreamSources,
    ...(await readFacts(product, productFiles, components)),
    tools,
    madeBy: plan.madeBy,
  });
}

/** A source as lock and files say; its commit was proven to be that of the files. */
function sourceAgain(stated: Source, from: PinnedSource, read: ReadSource | undefined): Source {
  const tree = read?.tree ?? stated.tree;
  const key = sourceKey({ commit: stated.commit, tree });
  return { ...stated, from, requested: from.kind !== 'base', tree, key };
}

function readerOf(files: FileTree): ReadFiles {
  return async (paths = ['.']) => {
    const isAsked = (name: string) =>
      paths.some((path) => path === '.' || name === path || name.startsWith(`${path}/`));
    return new Map([...files].filter(([name]) => isAsked(name)));
  };
}

/** The plan is that of its lock, and the lock is of this product. */
function compareLock({ lock, lockDigest: stated, tag, product }: Plan): Failure[] {
  const digest = lockDigest(lock);
  return [
    ...differ('it is not the plan of its lock.', digest, stated),
    ...differ('its tag is not of its lock.', tagFor(lock.name, digest, tagHex(tag).length), tag),
    ...differ('its product is not that of the lock.', lock.product.file, productDigest(product)),
  ];
}

function compareSources(again: Plan, plan: Plan): Failure[] {
  const components = Object.keys(again.sources) as ComponentName[];
  const extra = Object.keys(plan.sources).filter(
    (name) => !components.includes(name as ComponentName),
  );
  return [
    ...components.flatMap((component) => {
      const what = 'its source is not what lock and files say.';
      const expected = canonicalText(again.sources[component]);
      return differ(what, expected, canonicalText(plan.sources[component]), component);
    }),
    ...differ(
      'the source of the product is not what lock and files say.',
      canonicalText(again.productSource),
      canonicalText(plan.productSource),
    ),
    ...differ('it has sources that the lock does not name.', '', extra.join(', ')),
  ];
}

/** The first thing that differs: its key, or else what the key is made of. */
function compareStep(
  expected: Step,
  stated: Step | undefined,
  { product }: Plan,
): Failure | undefined {
  const components =
    'image' in expected
      ? product.images[expected.image]?.of.join(', ')
      : 'component' in expected
        ? expected.component
        : undefined;
  const place = { component: components ?? null, place: expected.id };
  if (stated === undefined) {
    const what = 'the plan leaves it out.';
    return notIncluded({ ...place, what, expected: expected.id, found: 'nothing' });
  }
  if (expected.key !== stated.key) {
    const what = 'its key is not that of the sources that were read back.';
    const name = (key: Step['key']) => (key === null ? 'none' : keyTag(key));
    return notIncluded({ ...place, what, expected: name(expected.key), found: name(stated.key) });
  }
  const [one, other] = [decisive(expected), decisive(stated)].map(canonicalText) as [
    string,
    string,
  ];
  if (one === other) return undefined;
  const what = 'the plan does something else than its sources ask for.';
  return notIncluded({ ...place, what, expected: one, found: other });
}

/** A step without what only says when it runs. */
function decisive({ group: _group, weight: _weight, ...step }: Step) {
  return { ...step, needs: [...step.needs].sort() };
}

function compareIds(again: Plan, plan: Plan): Failure[] {
  const ids = new Set(again.steps.map(({ id }) => id));
  const extra = plan.steps.map(({ id }) => id).filter((id) => !ids.has(id));
  return differ('it has steps that nothing asks for.', '', extra.join(', '));
}

function differ(what: string, expected: string, found: string, component: string | null = null) {
  if (expected === found) return [];
  return [notIncluded({ component, place: 'plan', what, expected: expected || 'none', found })];
}
