import { readFile } from 'node:fs/promises';

/** How a container of the pod ended that came before, as Tekton notes it where that may fail; undefined where it says nothing. */
export async function exitCodeOf(container: string): Promise<number | undefined> {
  const text = await readFile(`/tekton/steps/step-${container}/exitCode`, 'utf8').catch(() => '');
  return /^\d+$/.test(text.trim()) ? Number(text) : undefined;
}
