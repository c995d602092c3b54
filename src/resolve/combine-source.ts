import { type Failure, FailureError } from '../builds/failure.ts';
import { unreachable } from '../builds/result.ts';
import type { PinnedSource } from '../plan/lock.ts';
import type { CommitSha, TreeSha } from '../plan/names.ts';
import type { Combination, Conflict, Mirror } from './git-interface.ts';

/** The code that a pinned source comes to. */
export interface CombinedSource {
  readonly commit: CommitSha;
  readonly tree: TreeSha;
}

/**
 * Fetches a pinned source and brings its commits together as it says. `title` names what it is for
 * (`tektoncd/pipeline`). Throws FailureError `merge-conflict` with the files and what to do.
 */
export async function combineSource(
  source: PinnedSource,
  title: string,
  mirror: Mirror,
): Promise<CombinedSource> {
  await mirror.fetch(source.url, [source.commit]);
  switch (source.kind) {
    case 'base':
    case 'head':
      return { commit: source.commit, tree: await mirror.treeOf(source.commit) };
    case 'merge':
      await mirror.fetch(source.baseUrl, [source.base.commit]);
      return settle(await mirror.merge(source.base.commit, source.commit), source, title);
    case 'pick':
      await mirror.fetch(source.baseUrl, [source.onto]);
      return settle(await mirror.pick(source.mergeBase, source.commit, source.onto), source, title);
    default:
      return unreachable(source);
  }
}

type Change = Extract<PinnedSource, { kind: 'merge' | 'pick' }>;

function settle(combination: Combination, source: Change, title: string): CombinedSource {
  switch (combination.kind) {
    case 'combined':
      return combination;
    case 'conflict':
      throw new FailureError(conflict(source, title, combination.conflicts));
    case 'unrelated':
      throw new FailureError({
        reason: 'unrelated-repository',
        detail: `${title}: ${describeHead(source)} shares no history with ${source.base.branch} of ${source.baseUrl}.`,
        hint: 'Check that the ref stands under the right component.',
      });
    default:
      return unreachable(combination);
  }
}

function conflict(source: Change, title: string, conflicts: readonly Conflict[]): Failure {
  const files = conflicts.map(({ path, how }) => (how === 'contents' ? path : `${path} (${how})`));
  const other =
    source.kind === 'merge'
      ? `${source.base.branch} (${source.base.commit.slice(0, 12)})`
      : `what the product pins (${source.onto.slice(0, 12)})`;
  const done = source.kind === 'merge' ? 'merged into' : 'picked onto';
  return {
    reason: 'merge-conflict',
    detail: `${title}: ${describeHead(source)} cannot be ${done} ${other}: ${count(files)} ${files.length === 1 ? 'conflicts' : 'conflict'}: ${listed(files)}.`,
    hint: `${remedy(source)} With "as": "head" its head is built alone, as it is.`,
    about: {
      component: title,
      files,
      head: source.commit,
      other: source.kind === 'merge' ? source.base.commit : source.onto,
    },
  };
}

function remedy(source: Change): string {
  if (source.kind === 'merge') {
    return `Rebase the change on ${source.base.branch}, push it, and ask again.`;
  }
  return `Push a branch with the change made for ${source.onto.slice(0, 12)} and name that, or ask for "as": "merge" to build it on ${source.base.branch}.`;
}

/** `refs/pull/4638/head of https://github.com/tektoncd/pipeline (0c07604dea52)`. */
function describeHead({ ref, url, commit }: Change): string {
  const name = ref === commit ? 'the commit' : ref.replace(/^refs\/(heads|tags)\//, '');
  return `${name} of ${url} (${commit.slice(0, 12)})`;
}

function count(files: readonly string[]): string {
  return files.length === 1 ? '1 file' : `${files.length} files`;
}

function listed(files: readonly string[]): string {
  const shown = files.slice(0, 10).join(', ');
  return files.length > 10 ? `${shown}, …` : shown;
}
