import type { RefReading } from '../builds/build.ts';
import { demand, type Failure, FailureError, type Outcome } from '../builds/failure.ts';
import type { FileTree } from '../plan/file-tree.ts';
import type { PinnedSource } from '../plan/lock.ts';
import type { CommitSha, ComponentName } from '../plan/names.ts';
import { failureAt, type Locate } from '../product/place.ts';
import type { Product } from '../product/product.ts';
import {
  readPinned,
  type UpstreamSource,
  upstreamSourcesPath,
} from '../product/upstream-sources.ts';
import type { CheckedRequest } from '../request/check-request.ts';
import { didYouMean } from '../request/nearest.ts';
import { parseRepository } from '../request/ref.ts';
import type { Repository } from '../request/repository.ts';
import { combineSource } from './combine-source.ts';
import { fullName } from './find-ref.ts';
import type { Mirror } from './git-interface.ts';
import { productProblems } from './product-problems.ts';
import type { ProductVerdicts } from './product-verdicts.ts';
import { type Outside, resolveRef } from './resolve-ref.ts';

/** The productization repository of a release, as far as resolving needs it. */
export interface ResolvedProduct {
  readonly source: PinnedSource;
  /** Undefined where the request does not name a change of it. */
  readonly reading: RefReading | undefined;
  /** What it pins, by component: whole where there are no `problems`. */
  readonly pinned: Readonly<Record<ComponentName, UpstreamSource>>;
  /** Everything that is wrong with it. */
  readonly problems: readonly Failure[];
  /** `upstream_sources.yaml` and the folders of patches. */
  readonly files: FileTree;
}

/** Finds the productization repository's commit for a release (with a change, where one is wished) and reads what it pins. */
export async function resolveProduct(
  product: Product,
  {
    release,
    strategy,
    product: wish,
    components,
  }: Pick<CheckedRequest, 'release' | 'strategy' | 'product' | 'components'>,
  outside: Outside & ProductChecks,
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
  if (changed !== undefined) demand(await outside.vouched({ product: changed.reading }));
  const source = changed?.source ?? base;
  const mirror = await outside.mirrors.mirror(url);
  const { commit } = await combineSource(source, target.title, mirror);
  const files = await readFiles(product, mirror, commit);
  const where = `${url} at ${commit.slice(0, 12)}`;
  const { value: pinned } = readPinned(files, product, where);
  const names = Object.keys(components) as ComponentName[];
  const asked = { release, strategy, components: names, where };
  const problems = await outside.verdicts.of(commit, product, asked, async () => {
    const { files: all } = await mirror.files(commit);
    return productProblems(all, product, asked, outside.locate);
  });
  return { source, reading: changed?.reading, pinned, problems, files };
}

/** How a productization repository is checked. */
export interface ProductChecks {
  /** Places in product.yaml. */
  readonly locate: Locate;
  readonly verdicts: ProductVerdicts;
  /** Whether refs may be built: asked before anything of theirs is read but how their commits are related. */
  readonly vouched: (read: Readonly<Record<string, RefReading>>) => Promise<Outcome<unknown>>;
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

async function resolveBranch(
  product: Product,
  release: string,
  url: string,
  { servers, locate }: Outside & ProductChecks,
) {
  const branch = product.releases[release]?.branch;
  if (branch === undefined) throw new Error(`the product has no release ${release}`);
  const advertised = await servers.advertisement(url);
  const commit = advertised.refs.get(fullName('branch', branch));
  if (commit !== undefined) return { kind: 'base', url, branch, commit } as const;
  const heads = [...advertised.refs.keys()].flatMap(
    (name) => /^refs\/heads\/(.+)$/.exec(name)?.[1] ?? [],
  );
  throw new FailureError(
    failureAt(locate(['releases', release, 'branch']), {
      reason: 'bad-product',
      detail: `${url} has no branch ${branch}, which release ${release} of ${product.product} is made from.`,
      hint: `${didYouMean(branch, heads) ?? ''} Correct \`releases.${release}.branch\` in product.yaml.`.trim(),
    }),
  );
}

/** What every request needs of the repository: few files, so that known products are read at once. */
async function readFiles(product: Product, mirror: Mirror, commit: CommitSha): Promise<FileTree> {
  const folders = Object.values(product.components).flatMap(({ patches }) => patches?.dir ?? []);
  return (await mirror.files(commit, [upstreamSourcesPath, ...folders])).files;
}
