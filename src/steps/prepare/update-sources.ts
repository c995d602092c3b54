import type { Outcome } from '../../builds/failure.ts';
import type { ComponentName, Tag } from '../../plan/names.ts';
import type { Product } from '../../product/product.ts';
import { type SourceChange, updateUpstreamSources } from '../../product/update-upstream-sources.ts';
import type { UpstreamSource } from '../../product/upstream-sources.ts';
import { exportedBranch, exportedPath, isMadeHere } from '../exported-commit.ts';
import type { PreparedComponent } from './prepare-component.ts';

/**
 * upstream_sources.yaml as this build means it: what it says can be fetched. A head comes from the
 * repository that has it; a merge or pick from this service, with a comment that says what it is.
 */
export function updateSources(
  text: string,
  product: Product,
  components: readonly PreparedComponent[],
  pinned: Readonly<Record<ComponentName, UpstreamSource>>,
  tag: Tag,
  service: string,
): Outcome<string> {
  const changes = components.flatMap(
    (component) => changeOf(component, pinned[component.component], tag, service) ?? [],
  );
  return updateUpstreamSources(text, product, changes);
}

function changeOf(
  prepared: PreparedComponent,
  entry: UpstreamSource | undefined,
  tag: Tag,
  service: string,
): SourceChange | undefined {
  const { component, from, combined } = prepared;
  if (from.kind === 'base') return undefined;
  const { commit } = combined;
  if (isMadeHere(from, commit)) {
    const url = `${service}/api/builds/${tag}/git/${exportedPath(component)}`;
    return { component, url, branch: exportedBranch, commit, comment: commentOf(prepared) };
  }
  // The same repository keeps the spelling that the entry has.
  const written = (url: string) => (url === entry?.repository.url ? entry.url : url);
  if (commit === from.commit)
    return { component, url: written(from.url), branch: branchOf(from.ref), commit };
  // The base holds the change already. What was picked onto is what the entry says.
  if (from.kind === 'merge')
    return { component, url: written(from.baseUrl), branch: from.base.branch, commit };
  return undefined;
}

function branchOf(ref: string): string {
  return ref.replace(/^refs\/heads\//, '');
}

function commentOf({ from }: PreparedComponent): string {
  if (from.kind !== 'merge' && from.kind !== 'pick')
    throw new Error(`${from.kind} is not made here`);
  const head = `${branchOf(from.ref)} (${from.commit.slice(0, 12)}) of ${from.url}`;
  const { branch, commit } = from.base;
  return from.kind === 'merge'
    ? `${head}, merged into ${branch} (${commit.slice(0, 12)})`
    : `${head}, made for ${branch}, picked onto ${from.onto.slice(0, 12)}`;
}
