import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Plan, Step, StepOutput } from '../plan/plan.ts';
import { repositoryOf } from '../steps/key-reference.ts';
import { taskResults } from '../steps/task-input.ts';
import { strange } from '../steps/unit/plain-file.ts';

/**
 * Empties the folders of Tekton that all containers of a pod share, before this one has anything there. What an earlier container left as a result may be
 * a link: Tekton would read what it leads to in this container, the push secret for instance, and show it in the TaskRun. Throws FailureError
 * `strange-output` where something cannot be removed.
 */
export async function clearResults(results: string): Promise<void> {
  for (const folder of [results, join(dirname(results), 'artifacts')]) {
    const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    for (const name of names)
      await rm(join(folder, name), { recursive: true, force: true }).catch(() => {
        throw strange([folder, name], 'it cannot be removed');
      });
  }
}

/**
 * Bytes. A container may say 4096 when it ends, and all of a pod 12 KiB, which the kubelet shares out: these pods have four containers, and
 * something may have injected a fifth. What is longer is cut, and then Tekton reads no result at all.
 */
const longestList = 2000;

/**
 * Writes what a unit made for Tekton Chains: of one image its URL and digest, of several a list. All of them are written, empty where there is nothing to
 * say: Tekton takes what the last container says of a result, and what an earlier one said where the last says nothing.
 */
export async function writeResults(
  folder: string,
  plan: Plan,
  outputs: ReadonlyMap<Step, StepOutput>,
  log: (text: string) => void,
): Promise<void> {
  const images = [...outputs].flatMap(([step, output]) =>
    step.kind === 'image' && output.kind === 'image'
      ? [{ url: repositoryOf(step, plan), digest: output.digest }]
      : [],
  );
  const only = images.length === 1 ? images[0] : undefined;
  const lines = images.length > 1 ? images.map(({ url, digest }) => `${url}@${digest}`) : [];
  while (lines.join('\n').length > longestList)
    log(`the result ${taskResults.imageList} has no room for ${lines.pop()}`);
  await mkdir(folder, { recursive: true });
  const put = (name: string, text: string) => writeFile(join(folder, name), text, { flag: 'wx' });
  await put(taskResults.imageUrl, only?.url ?? '');
  await put(taskResults.imageDigest, only?.digest ?? '');
  await put(taskResults.imageList, lines.join('\n'));
}
