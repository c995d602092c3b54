import { join } from 'node:path';
import { demand } from '../../builds/failure.ts';
import { textFile } from '../../plan/file-tree.ts';
import type { Plan, Source } from '../../plan/plan.ts';
import { sourcesAtPlaces, upstreamSourcesPath } from '../../product/upstream-sources.ts';
import type { Mirror } from '../../resolve/git-interface.ts';
import { writeArtifact } from '../artifact.ts';
import { exportedPath, isMadeHere } from '../exported-commit.ts';
import { artifactRepository, keyTag } from '../step.ts';
import type { PreparedComponent } from './prepare-component.ts';
import type { PrepareContext } from './prepare-context.ts';
import type { PreparedProduct } from './prepare-product.ts';

/** What a source artifact says of itself, so that others can prove the tree by the commit. */
interface SourceMetadata {
  /** Component, or name of the product. */
  readonly of: string;
  readonly commit: string;
  /** The commit as git stores it, in base64: its SHA-1 (with git's header) is `commit`, its first line names `commitTree`. */
  readonly commitObject: string;
  readonly commitTree: string;
  /** Tree of the files, with the patches that are applied. */
  readonly tree: string;
  /** Patches that lie between `commitTree` and `tree`, in order. */
  readonly patches: readonly string[];
  /** Paths of submodules, whose content is not there. */
  readonly submodules: readonly string[];
}

/** Pushes the source artifact of a tree, unless it is there. */
export async function publishSource(
  of: string,
  source: Source,
  openMirror: () => Promise<Mirror>,
  patches: readonly string[],
  repository: string,
  { registry, workdir, log, progress }: PrepareContext,
): Promise<void> {
  const reference = `${repository}:${keyTag(source.key)}`;
  if ((await registry.manifest(reference)) !== undefined) {
    log(`found the source of ${of}: ${reference}`);
    return;
  }
  progress(`packing the source of ${of}`);
  const mirror = await openMirror();
  const { files, submodules } = await mirror.files(source.tree);
  if (submodules.length > 0) {
    log(`warning: ${of} has submodules, whose content is left out: ${submodules.join(', ')}`);
  }
  const commitObject = (await mirror.commitObject(source.commit)).toString('base64');
  const { commit, commitTree, tree } = source;
  const metadata: SourceMetadata = {
    of,
    commit,
    commitObject,
    commitTree,
    tree,
    patches,
    submodules,
  };
  const digest = await writeArtifact(registry, workdir, reference, {
    kind: 'source',
    metadata,
    files,
  });
  log(`pushed the source of ${of}: ${reference} (${digest})`);
}

/**
 * Writes the repositories from which the made-up commits of this build can be fetched; those of all commits
 * where a Makefile fetches, which gets no credential of a git server. Their branches are those that
 * upstream_sources.yaml names.
 */
export async function exportCommits(
  plan: Plan,
  { pinned }: PreparedProduct,
  components: readonly PreparedComponent[],
  { configuration, mirrors, tag, log, progress }: PrepareContext,
): Promise<void> {
  const entries = demand(sourcesAtPlaces(plan.upstreamSources, pinned));
  const all = plan.lock.strategy === 'makefile';
  for (const prepared of components.filter(
    ({ from, combined }) => all || isMadeHere(from, combined.commit),
  )) {
    const { component, combined, url } = prepared;
    const branch = entries[component]?.branch;
    if (branch === undefined) throw new Error(`no entry of ${component}`);
    progress(`exporting ${component}`);
    const folder = join(configuration.state, 'git', tag, exportedPath(component));
    const { commit } = combined;
    const isThere = await mirrors.exportAgain(url, commit, folder, branch);
    if (!isThere) await (await prepared.mirror()).export(commit, folder, branch);
    log(`${component}: ${combined.commit} can be fetched from ${folder}`);
  }
}

/** Keeps the plan, and the updated upstream_sources.yaml, beside the images. */
export async function publishPlan(plan: Plan, context: PrepareContext): Promise<void> {
  const reference = `${artifactRepository(plan)}:${plan.tag}-plan`;
  const files = new Map([
    ['plan.json', textFile(`${JSON.stringify(plan, null, 2)}\n`)],
    [upstreamSourcesPath, textFile(plan.upstreamSources)],
  ]);
  const metadata = { tag: plan.tag, lockDigest: plan.lockDigest };
  await writeArtifact(context.registry, context.workdir, reference, {
    kind: 'plan',
    metadata,
    files,
  });
  context.log(`pushed the plan: ${reference}`);
}
