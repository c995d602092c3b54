import { join } from 'node:path';
import { FailureError } from '../builds/failure.ts';
import type { LoadedConfiguration } from '../config/load-config.ts';
import { readText } from '../plan/file-tree.ts';
import type { ComponentName } from '../plan/names.ts';
import type { Plan } from '../plan/plan.ts';
import { lockDigest, tagFor, tagHex } from '../plan/tag.ts';
import { combineSource } from '../resolve/combine-source.ts';
import type { Mirrors } from '../resolve/git-interface.ts';
import { shareInFlight } from '../resolve/share-in-flight.ts';
import { readArtifact } from '../steps/artifact.ts';
import { exportedBranch, exportedPath, isMadeHere } from '../steps/exported-commit.ts';
import type { Registry } from '../steps/step.ts';

interface ExportAgainOptions {
  readonly configuration: Pick<LoadedConfiguration, 'state' | 'remotes'>;
  registry(): Promise<Registry>;
  mirrors(): Promise<Mirrors>;
}

/** A repository that a build exports. */
interface Wanted {
  readonly tag: string;
  readonly owner: string;
  readonly repo: string;
}

/**
 * Makes what `prepare` exports where it works beside the service: on a cluster it runs in a pod, and what it merged goes with that. The same
 * commits give the same merge everywhere, so each replica makes it when somebody wants to fetch it, as the plan of the build says. Does nothing
 * where no plan names such a commit. Throws FailureError where a git server does not give the commits any more.
 */
export function exportAgain({ configuration, registry, mirrors }: ExportAgainOptions) {
  return shareInFlight(async ({ tag, owner, repo }: Wanted): Promise<void> => {
    const plan = await findPlan(tag, configuration, await registry());
    const component = `${owner}/${repo}` as ComponentName;
    const from = plan?.lock.components[component];
    const made = plan?.sources[component]?.commit;
    if (from === undefined || made === undefined) return;
    if (!isMadeHere(from, made) || !('baseUrl' in from)) return;
    const all = await mirrors();
    const mirror = await all.mirror(from.baseUrl);
    const { commit } = await combineSource(from, component, mirror);
    if (commit !== made) throw anotherCommit(component, commit, made);
    const folder = join(configuration.state, 'git', tag, exportedPath(component));
    const isThere = await all.exportAgain(from.baseUrl, commit, folder, exportedBranch);
    if (!isThere) await mirror.export(commit, folder, exportedBranch);
  });
}

/** The plan of a build, in whichever remote; one whose lock is not that of the tag is none. */
async function findPlan(
  tag: string,
  { remotes }: ExportAgainOptions['configuration'],
  registry: Registry,
): Promise<Plan | undefined> {
  for (const { push } of Object.values(remotes)) {
    const artifact = await readArtifact(registry, `${push}/tributary:${tag}-plan`);
    const plan = artifact && parsePlan(readText(artifact.files, 'plan.json') ?? '', tag);
    if (plan !== undefined) return plan;
  }
  return undefined;
}

function parsePlan(text: string, wanted: string): Plan | undefined {
  try {
    const plan = JSON.parse(text) as Plan;
    const { tag, lock } = plan;
    const isOfIt = tagFor(lock.name, lockDigest(lock), tagHex(tag).length) === tag;
    return isOfIt && tag === wanted ? plan : undefined;
  } catch {
    return undefined;
  }
}

function anotherCommit(component: string, commit: string, made: string): FailureError {
  return new FailureError({
    reason: 'tools-changed',
    detail: `${component}: the same commits come to ${commit} here, and came to ${made} when they were built.`,
    hint: 'Another version of git merged them. Build it again, or fetch the source artifact of the build.',
    about: { component, commit, made },
  });
}
