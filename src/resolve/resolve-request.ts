import pLimit from 'p-limit';
import type { RefReading } from '../builds/build.ts';
import { attempt, type Failure, type Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import type { Configuration } from '../config/config.ts';
import type { Lock, PinnedSource } from '../plan/lock.ts';
import type { ComponentName, Digest } from '../plan/names.ts';
import { lockDigest } from '../plan/tag.ts';
import { productDigest } from '../product/load-product.ts';
import type { Product } from '../product/product.ts';
import type { UpstreamSource } from '../product/upstream-sources.ts';
import type { CheckedRequest } from '../request/check-request.ts';
import { parseRepository } from '../request/ref.ts';
import { pointerTo } from '../request/shape-problems.ts';
import { type ProductChecks, repositoryOf, resolveProduct } from './resolve-product.ts';
import { type Outside, type Resolved, resolveRef, type Target } from './resolve-ref.ts';
import { unknownPatches } from './unknown-patches.ts';

/** What requests are resolved with. */
export interface ResolveContext extends Omit<Outside, 'hosts'>, ProductChecks {
  readonly configuration: Pick<Configuration, 'hosts' | 'remotes' | 'platforms'>;
  /** Of this machine, where the configuration names none: `linux/amd64`. */
  readonly platform: string;
}

/** A request after resolution. */
export interface LockedRequest {
  readonly lock: Lock;
  readonly lockDigest: Digest;
  /** How each ref was read: component (or `product`) → text for people. */
  readonly read: Readonly<Record<string, RefReading>>;
}

/** A locked request, or everything that is wrong. */
export type Resolution =
  | Extract<Outcome<LockedRequest>, { readonly ok: true }>
  | (Extract<Outcome<LockedRequest>, { readonly ok: false }> & {
      /** Where the product alone is wrong: what of it is right, so that it can be looked at further. */
      readonly locked?: Pick<LockedRequest, 'lock' | 'read'>;
    });

/**
 * From a request to its lock: asks git servers what every ref names. All problems of all refs are told at
 * once, each with its place in the request. Bugs alone are thrown.
 */
export async function resolveRequest(
  request: CheckedRequest,
  product: Product,
  context: ResolveContext,
): Promise<Resolution> {
  const hosts = new Set([...context.configuration.hosts, ...hostsOfProduct(product)]);
  const outside = { ...context, hosts };
  const resolving = attempt(() => resolveProduct(product, request, outside));
  const found = pointed(await resolving, request.product === undefined ? undefined : ['product']);
  if (!found.ok) return found;
  const { pinned, problems, files, source, reading } = found.value;
  // What the product's own branch pins is trusted; what a change of it pins is not.
  const pinnedHosts = Object.values(pinned).map(({ repository }) => repository.host);
  if (reading === undefined) for (const host of pinnedHosts) hosts.add(host);

  const components = await resolveComponents(request, product, pinned, outside);
  const wrong = [
    ...strangeHosts(pinned, reading, hosts),
    ...components.failures,
    ...unknownPatches(request.patches, product, files),
  ];
  const [first, ...rest] = [...problems, ...wrong];
  if (first !== undefined && wrong.length > 0) return failed(first, ...rest);
  const lock = assembleLock(request, product, context, source, components.sources);
  const read = { ...(reading === undefined ? {} : { product: reading }), ...components.read };
  if (first !== undefined) return { ...failed(first, ...rest), locked: { lock, read } };
  return ok({ lock, lockDigest: lockDigest(lock), read });
}

type Pinned = Readonly<Record<ComponentName, UpstreamSource>>;

interface ResolvedComponents {
  readonly sources: Readonly<Record<ComponentName, PinnedSource>>;
  readonly read: Readonly<Record<string, RefReading>>;
  readonly failures: readonly Failure[];
}

async function resolveComponents(
  request: CheckedRequest,
  product: Product,
  pinned: Pinned,
  outside: Outside,
): Promise<ResolvedComponents> {
  const sources: Record<ComponentName, PinnedSource> = {};
  for (const component of names(pinned)) {
    sources[component] = baseOf(component, product, pinned);
  }
  const limit = pLimit(8);
  // Of a component that nothing pins, the product's problems tell.
  const asked = names(request.components)
    .filter((component) => pinned[component] !== undefined)
    .sort();
  const outcomes = await Promise.all(
    asked.map((component) =>
      limit(async () => {
        const wish = request.components[component];
        if (wish === undefined) throw new Error(`no wish for ${component}`);
        const target = targetOf(component, request.release, product, pinned);
        const outcome = await attempt(() => resolveRef(wish, target, outside));
        return [component, pointed(outcome, wish.path)] as const;
      }),
    ),
  );
  const read: Record<string, RefReading> = {};
  const failures: Failure[] = [];
  for (const [component, outcome] of outcomes as [ComponentName, Outcome<Resolved>][]) {
    if (!outcome.ok) failures.push(...outcome.failures);
    else {
      sources[component] = outcome.value.source;
      read[component] = outcome.value.reading;
    }
  }
  return { sources, read, failures };
}

function baseOf(component: ComponentName, product: Product, pinned: Pinned) {
  const entry = pinned[component];
  if (entry === undefined) throw new Error(`nothing pins ${component}`);
  const { url } = repositoryOf(component, product, pinned);
  return { kind: 'base', url, branch: entry.branch, commit: entry.commit } as const;
}

function targetOf(
  component: ComponentName,
  release: string,
  product: Product,
  pinned: Pinned,
): Target {
  const { url, branch, commit } = baseOf(component, product, pinned);
  const tracks = product.components[component]?.tracks ?? {};
  return {
    title: component,
    url,
    release,
    pinned: commit,
    tracked: tracks[release] ?? branch.replace(/^refs\/heads\//, ''),
    allTracked: Object.values(tracks),
  };
}

function assembleLock(
  request: CheckedRequest,
  product: Product,
  { configuration, platform }: ResolveContext,
  source: PinnedSource,
  components: Readonly<Record<ComponentName, PinnedSource>>,
): Lock {
  const remote = configuration.remotes[request.remote];
  if (remote === undefined) throw new Error(`no remote ${request.remote}`);
  const push = remote.push.replace(/\/+$/, '');
  return {
    version: 1,
    name: request.name,
    release: request.release,
    product: { name: product.product, file: productDigest(product), source },
    components,
    patches: canonicalPatches(request),
    remote: { name: request.remote, push, pull: remote.pull?.replace(/\/+$/, '') ?? push },
    platforms: configuration.platforms ?? [platform],
    strategy: request.strategy,
  };
}

/** The order in which patches are named does not make another build. */
function canonicalPatches({ patches }: CheckedRequest): Lock['patches'] {
  const result: Record<ComponentName, Lock['patches'][ComponentName]> = {};
  for (const component of names(patches)) {
    const policy = patches[component];
    if (policy === undefined) continue;
    result[component] = policy === 'none' ? policy : { skip: [...new Set(policy.skip)].sort() };
  }
  return result;
}

function hostsOfProduct(product: Product): string[] {
  const urls = [
    product.repository,
    ...Object.values(product.components).flatMap(({ repository }) => repository ?? []),
  ];
  return urls.flatMap((url) => {
    const parsed = parseRepository(url);
    return parsed.ok ? [parsed.value.host] : [];
  });
}

function strangeHosts(
  pinned: Pinned,
  reading: RefReading | undefined,
  hosts: ReadonlySet<string>,
): Failure[] {
  const strange = Object.values(pinned).filter(({ repository }) => !hosts.has(repository.host));
  return strange.map(({ url, repository, line }) => ({
    reason: 'host-not-allowed',
    detail: `${reading?.ref ?? 'The product'} pins ${url} (upstream_sources.yaml:${line}): code from ${repository.host} is not accepted here.`,
    hint: `Accepted hosts: ${[...hosts].sort().join(', ')}. The operator of this service can add one (\`hosts\` in the configuration).`,
    pointer: pointerTo(['product']),
  }));
}

/** Says where in the request the failures come from. */
function pointed<Value>(
  outcome: Outcome<Value>,
  path: readonly string[] | undefined,
): Outcome<Value> {
  if (outcome.ok || path === undefined) return outcome;
  const [first, ...rest] = outcome.failures.map((failure) => ({
    pointer: pointerTo(path),
    ...failure,
  }));
  return { ok: false, failures: [first as Failure, ...rest] };
}

function names<Value>(record: Readonly<Record<ComponentName, Value>>): ComponentName[] {
  return Object.keys(record) as ComponentName[];
}
