import pLimit from 'p-limit';
import { FailureError } from '../../builds/failure.ts';
import type { Unpullable } from '../../plan/plan.ts';
import type { StepContext } from '../step.ts';

/** Asks for every image as a cluster would, and lists what it could not pull. */
export async function checkPullable(
  references: readonly string[],
  context: StepContext,
): Promise<Unpullable[]> {
  const limit = pLimit(4);
  const unique = [...new Set(references)].sort();
  const found = await limit.map(unique, (reference) => askFor(reference, context));
  return found.filter((one) => one !== undefined);
}

async function askFor(image: string, context: StepContext): Promise<Unpullable | undefined> {
  const { plan, registry } = context;
  const { push, pull, name } = plan.lock.remote;
  // The name that a cluster uses need not be one that this machine can reach.
  const reachable = image.startsWith(`${pull}/`) ? `${push}${image.slice(pull.length)}` : image;
  try {
    const { anonymously, withSecret } = await registry.pullable(reachable);
    if (anonymously || withSecret === true) return undefined;
    if ((await registry.manifest(reachable)) === undefined) return unreachable(image);
    if (withSecret === false) {
      const remedy = `Give the pull secret of remote ${name} access to ${image}, or make the repository public.`;
      return { image, how: 'with the pull secret', remedy };
    }
    const remedy = `Make the repository public, or name a pull secret: \`remotes.${name}.pull-secret\` in the configuration.`;
    return { image, how: 'anonymously', remedy };
  } catch (error) {
    if (error instanceof FailureError) return unreachable(image);
    throw error;
  }
}

function unreachable(image: string): Unpullable {
  const remedy =
    'Check that it exists and that its registry can be reached from here and from the cluster; a mirror of the cluster may have it.';
  return { image, how: 'at all', remedy };
}
