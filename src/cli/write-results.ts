import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Plan, Step, StepOutput } from '../plan/plan.ts';
import { repositoryOf } from '../steps/key-reference.ts';
import { taskResults } from '../steps/task-input.ts';
import { strange } from '../steps/unit/plain-file.ts';

/**
 * Empties the folder of Tekton that all containers of a pod share and that it reads when each of them ends. What an earlier one left there may be a lie,
 * or a link to what this one alone sees. Throws FailureError `strange-output` where something cannot be removed.
 */
export async function clearArtifacts(folder = '/tekton/artifacts'): Promise<void> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  for (const name of names)
    await rm(join(folder, name), { recursive: true, force: true }).catch(() => {
      throw strange([folder, name], 'it cannot be removed');
    });
}

/**
 * Bytes. A container may say 4096 when it ends, and all of a pod 12 KiB, which the kubelet shares out: these pods have four containers, and
 * something may have injected a fifth. What is longer is cut, and then Tekton reads no result at all.
 */
const longestList = 2000;

/** Writes the images that a task made for Tekton Chains: of one its URL and digest, of several a list. */
export async function writeResults(
  folder: string,
  plan: Plan,
  outputs: ReadonlyMap<Step, StepOutput>,
  log: (text: string) => void,
): Promise<void> {
  const images = [...outputs].flatMap(([step, output]) =>
    'image' in output
      ? [{ url: imageRepository(step, output.image, plan), digest: output.digest }]
      : [],
  );
  const only = images.length === 1 ? images[0] : undefined;
  const lines = images.length > 1 ? images.map(({ url, digest }) => `${url}@${digest}`) : [];
  while (lines.join('\n').length > longestList)
    log(`the result ${taskResults.imageList} has no room for ${lines.pop()}`);
  await mkdir(folder, { recursive: true });
  const results = {
    ...(only && { [taskResults.imageUrl]: only.url, [taskResults.imageDigest]: only.digest }),
    ...(lines.length > 0 && { [taskResults.imageList]: lines.join('\n') }),
  };
  for (const [name, text] of Object.entries(results)) await writeFile(join(folder, name), text);
}

/** Where it was pushed to: clusters may pull it from elsewhere. */
function imageRepository(step: Step, image: string, plan: Plan): string {
  if (step.kind === 'image') return repositoryOf(step, plan);
  const [name = ''] = image.slice(image.lastIndexOf('/') + 1).split('@');
  return `${plan.lock.remote.push}/${name}`;
}
