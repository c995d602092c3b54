import type { Payload, Product, ProductImage } from '../product/product.ts';
import { buildArgs } from './build-args.ts';
import { baseUses, declaredArgs } from './dockerfile.ts';
import { imageKey, manifestsKey, payloadKey, payloadVersion } from './keys.ts';
import type { Lock } from './lock.ts';
import {
  type ComponentName,
  type Digest,
  type ImageName,
  parseDigest,
  type Tag,
  type TreeSha,
} from './names.ts';
import type { PatchReport, Plan, Source, Step, StepOf } from './plan.ts';
import { tagHex } from './tag.ts';

/** Everything that was found out about a lock: what {@link assemblePlan} decides on. */
export interface PlanFacts {
  readonly tag: Tag;
  readonly lockDigest: Digest;
  readonly lock: Lock;
  readonly product: Product;
  readonly sources: Readonly<Record<ComponentName, Source>>;
  readonly productSource: Source;
  /** URL of each component's own repository. */
  readonly urls: Readonly<Record<ComponentName, string>>;
  readonly patches: readonly PatchReport[];
  /** FROM text → reference by digest. */
  readonly bases: Readonly<Record<string, string>>;
  readonly upstreamSources: string;
  readonly images: Readonly<Record<ImageName, ImageFacts>>;
  readonly payloads: Readonly<Record<ComponentName, PayloadFacts>>;
  /** Versions of the tools that shape bytes. */
  readonly tools: string;
  /** See {@link Plan.madeBy}. */
  readonly madeBy: string;
}

/** What the productization repository says about an image. */
export interface ImageFacts {
  readonly dockerfile: string;
  /** Tree of the context folder, without patches that are replaced. */
  readonly context: TreeSha;
  /** Patch that the Dockerfile has to apply → SHA-256 of its content. */
  readonly patches: Readonly<Record<string, string>>;
}

/** What a component says about its payload. */
export interface PayloadFacts {
  readonly inputs: TreeSha;
  /** Import paths that stand behind `ko://` in the inputs. */
  readonly references: ReadonlySet<string>;
}

/** The plan of a lock: every step with its key. The same facts give the same plan, in whatever order they come. */
export function assemblePlan(facts: PlanFacts): Plan {
  const images = sorted(facts.product.images).map(([name, image]) => imageStep(facts, name, image));
  const payloads = payloadSteps(facts, images);
  const operators = operatorSteps(facts, payloads);
  const manifests = manifestsSteps(facts);
  const release = facts.product.releases[facts.lock.release];
  if (release === undefined) throw new Error(`the product has no release ${facts.lock.release}`);
  return {
    version: 1,
    madeBy: facts.madeBy,
    tag: facts.tag,
    lockDigest: facts.lockDigest,
    lock: facts.lock,
    product: facts.product,
    operatorVersion: `${release.version}-t${tagHex(facts.tag)}`,
    sources: facts.sources,
    productSource: facts.productSource,
    patches: [...facts.patches].sort((a, b) =>
      compare(`${a.component}/${a.patch}`, `${b.component}/${b.patch}`),
    ),
    bases: facts.bases,
    upstreamSources: facts.upstreamSources,
    steps: [
      ...payloads,
      ...(facts.lock.strategy === 'images'
        ? [
            ...[...images].sort((a, b) => compare(a.group, b.group) || compare(a.id, b.id)),
            ...operators,
            ...manifests,
            ...bundleSteps('bundle', [
              ...images.filter(({ final }) => final),
              ...operators,
              ...manifests,
            ]),
          ]
        : [...manifests, ...bundleSteps('makefile', [...payloads, ...manifests])]),
    ],
  };
}

/** Rough seconds of a step on two cores when nothing is reused. */
const weights = {
  payload: 2,
  command: 10,
  image: 30,
  'operator-payload': 3,
  manifests: 15,
  makefile: 240,
  bundle: 3,
  index: 4,
  verify: 5,
  report: 2,
} as const;

function imageStep(facts: PlanFacts, name: ImageName, image: ProductImage): StepOf<'image'> {
  const { dockerfile, context, patches } = known(facts.images, name);
  const given = Object.fromEntries(
    image.of.map((component) => {
      const { commit, version } = known(facts.sources, component);
      return [component, { url: known(facts.urls, component), commit, version }];
    }),
  );
  const args = buildArgs(image.args, given, declaredArgs(dockerfile));
  const bases = Object.fromEntries(
    baseUses(dockerfile, image.args).map(({ text, image: from }) => [
      text,
      known(facts.bases, from),
    ]),
  );
  const platform = known(facts.lock.platforms, 0);
  const { network } = image;
  const key = imageKey({
    sources: Object.fromEntries(image.of.map((of) => [of, known(facts.sources, of).tree])),
    context,
    dockerfile: image.dockerfile,
    patches,
    bases: Object.fromEntries(Object.entries(bases).map(([text, base]) => [text, digestOf(base)])),
    args,
    platform,
    network,
    tools: facts.tools,
  });
  return {
    id: `image/${name}`,
    kind: 'image',
    needs: [],
    key,
    // Images of one component share a compile cache.
    group: `image/${image.of[0]}`,
    weight: weights.image,
    image: name,
    bases,
    args,
    network,
    platform,
    final: image.kodata === undefined,
  };
}

function payloadSteps(facts: PlanFacts, images: readonly StepOf<'image'>[]): StepOf<'payload'>[] {
  const references = new Map(
    images.flatMap(({ image, key }) => {
      const { go } = known(facts.product.images, image);
      return go === undefined
        ? []
        : [[go, `${facts.lock.remote.pull}/${image}:key-${key}`] as const];
    }),
  );
  return sorted(facts.product.components).flatMap(([component, { payload }]) =>
    payload === undefined ? [] : [payloadStep(facts, component, payload, references)],
  );
}

function payloadStep(
  facts: PlanFacts,
  component: ComponentName,
  rule: Payload,
  references: ReadonlyMap<string, string>,
): StepOf<'payload'> {
  const source = known(facts.sources, component);
  const { inputs, references: named } = known(facts.payloads, component);
  const own = ownReferences(facts.product, component);
  const used = [...references].filter(
    // A command may put a reference together that stands nowhere as a whole.
    ([path]) => named.has(path) || (rule.render === 'command' && own.has(path)),
  );
  const key = payloadKey({
    component,
    inputs,
    rule,
    sourceVersion: source.version,
    images: Object.fromEntries(used),
    base: rule.render === 'command' ? digestOf(known(facts.bases, rule.image)) : null,
    tools: rule.render === 'command' || rule.render === 'kustomize' ? facts.tools : null,
  });
  // Walking the inputs can meet no other reference than those that stand in them; what a program prints is
  // held to those of the key.
  const images = rule.render === 'ko' ? references : used;
  return {
    id: `payload/${component}`,
    kind: 'payload',
    needs: [],
    key,
    group: `payload/${component}`,
    weight: rule.render === 'command' ? weights.command : weights.payload,
    component,
    rule,
    version: payloadVersion(source.version, key),
    images: Object.fromEntries([...images].sort(([a], [b]) => compare(a, b))),
  };
}

function ownReferences(product: Product, component: ComponentName): ReadonlySet<string> {
  const own = Object.values(product.images).filter(({ of }) => of.includes(component));
  return new Set(own.flatMap(({ go }) => go ?? []));
}

function operatorSteps(
  { product }: PlanFacts,
  payloads: readonly Step[],
): StepOf<'operator-payload'>[] {
  return sorted(product.images).flatMap(([image, { kodata }]) => {
    if (kodata === undefined) return [];
    const id = `operator-payload/${image}`;
    const needs = [`image/${image}`, ...payloads.map((step) => step.id)];
    const weight = weights['operator-payload'];
    return [{ id, kind: 'operator-payload', needs, key: null, group: id, weight, image, kodata }];
  });
}

/** Generated manifests come from a requested operator only: otherwise those of the product's repository count. */
function manifestsSteps(facts: PlanFacts): StepOf<'manifests'>[] {
  return sorted(facts.product.components).flatMap(([component, { bundle }]) => {
    const { requested, tree } = known(facts.sources, component);
    if (bundle === undefined || !requested) return [];
    const base = digestOf(known(facts.bases, bundle.image));
    const key = manifestsKey({ tree, generator: bundle, base, tools: facts.tools });
    const id = `manifests/${component}`;
    return [
      { id, kind: 'manifests', needs: [], key, group: id, weight: weights.manifests, component },
    ];
  });
}

/** Whatever makes the bundle, and what follows it. */
function bundleSteps(maker: 'bundle' | 'makefile', made: readonly Step[]): Step[] {
  const step = <Kind extends 'bundle' | 'makefile' | 'index' | 'verify' | 'report'>(
    kind: Kind,
    needs: readonly string[],
  ) => ({ id: kind, kind, needs, key: null, group: kind, weight: weights[kind] });
  return [
    step(maker, made.map(({ id }) => id).sort(compare)),
    step('index', [maker]),
    step('verify', ['index']),
    step('report', ['verify']),
  ];
}

function digestOf(reference: string): Digest {
  const digest = parseDigest(reference.slice(reference.lastIndexOf('@') + 1));
  if (digest === undefined) throw new Error(`${reference} is no reference by digest`);
  return digest;
}

function known<Value>(
  values: Readonly<Record<string, Value>> | readonly Value[],
  name: string | number,
): Value {
  const value = (values as Readonly<Record<string | number, Value>>)[name];
  if (value === undefined) throw new Error(`nothing is known of ${name}`);
  return value;
}

function sorted<Name extends string, Value>(
  record: Readonly<Record<Name, Value>>,
): (readonly [Name, Value])[] {
  return (Object.entries(record) as [Name, Value][]).sort(([a], [b]) => compare(a, b));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
