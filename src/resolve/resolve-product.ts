import type { RefReading } from '../builds/build.ts';
import { demand, FailureError } from '../builds/failure.ts';
import type { FileTree } from '../plan/file-tree.ts';
import type { PinnedSource } from '../plan/lock.ts';
import type { ComponentName } from '../plan/names.ts';
import type { Product } from '../product/product.ts';
import {
  parseUpstreamSources,
  sourcesOfComponents,
  type UpstreamSource,
  upstreamSourcesPath,
} from '../product/upstream-sources.ts';
import { didYouMean } from '../request/nearest.ts';
import type { Wish } from '../request/parse-request.ts';
import { parseRepository } from '../request/ref.ts';
import type { Repository } from '../request/repository.ts';
import { combineSource } from './combine-source.ts';
import { fullName } from './find-ref.ts';
import { type Outside, resolveRef } from './resolve-ref.ts';

/** The productization repository of a release, as far as resolving needs it. */
export interface ResolvedProduct {
  readonly source: PinnedSource;
  /** Undefined where the request does not name a change of it. */
  readonly reading: RefReading | undefined;
  /** What it pins, by component. */
  readonly pinned: Readonly<Record<ComponentName, UpstreamSource>>;
  /** `upstream_sources.yaml` and the folders of patches. */
  readonly files: FileTree;
}

/** Finds the productization repository's commit for a release (with a change, where one is wished) and reads what it pins. */
export async function resolveProduct(
  product: Product,
  release: string,
  wish: Wish | undefined,
  outside: Outside,
): Promise<ResolvedProduct> {
  const { url } = demand(parseRepository(product.repository));
  const base = await resolveBranch(product, release, url, outside);
  const target = {
    title: `the product ${product.product}`,
    url,
    release,
    pinned: base.commit,
    tracked: base.branch,
    allTracked: Object.values(product.releases).map(({ branch }) => branch),
  };
  const changed = wish === undefined ? undefined : await resolveRef(wish, target, outside);
  const source = changed?.source ?? base;
  const files = await readFiles(product, source, url, outside);
  const text = files.get(upstreamSourcesPath)?.content.toString();
  if (text === undefined) throw new FailureError(noUpstreamSources(url, source));
  const pinned = demand(sourcesOfComponents(demand(parseUpstreamSources(text)), product));
  return { source, reading: changed?.reading, pinned, files };
}

/** The repository of a component: where product.yaml says, else where upstream_sources.yaml says. */
export function repositoryOf(
  component: ComponentName,
  product: Product,
  pinned: Readonly<Record<ComponentName, UpstreamSource>>,
): Repository {
  const said = product.components[component]?.repository;
  if (said !== undefined) return demand(parseRepository(said));
  const entry = pinned[component];
  if (entry === undefined) throw new Error(`${component} is no component of the product`);
  return entry.repository;
}

async function resolveBranch(product: Product, release: string, url: string, { servers }: Outside) {
  const branch = product.releases[release]?.branch;
  if (branch === undefined) throw new Error(`the product has no release ${release}`);
  const advertised = await servers.advertisement(url);
  const commit = advertised.refs.get(fullName('branch', branch));
  if (commit !== undefined) return { kind: 'base', url, branch, commit } as const;
  const heads = [...advertised.refs.keys()].flatMap(
    (name) => /^refs\/heads\/(.+)$/.exec(name)?.[1] ?? [],
  );
  throw new FailureError({
    reason: 'bad-product',
    detail: `${url} has no branch ${branch}, which release ${release} of ${product.product} is made from.`,
    hint: `${didYouMean(branch, heads) ?? ''} Correct \`releases.${release}.branch\` in product.yaml.`.trim(),
  });
}

async function readFiles(
  product: Product,
  source: PinnedSource,
  url: string,
  { mirrors }: Outside,
): Promise<FileTree> {
  const mirror = await mirrors.mirror(url);
  const { commit } = await combineSource(source, `the product ${product.product}`, mirror);
  const folders = Object.values(product.components).flatMap(({ patches }) => patches?.dir ?? []);
  return (await mirror.files(commit, [upstreamSourcesPath, ...folders])).files;
}

function noUpstreamSources(url: string, source: PinnedSource) {
  return {
    reason: 'bad-product',
    detail: `${url} has no ${upstreamSourcesPath} at ${source.commit.slice(0, 12)}.`,
    hint: 'Check `repository` and the branch of the release in product.yaml.',
  } as const;
}
