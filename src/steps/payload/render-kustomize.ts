import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { demand, FailureError } from '../../builds/failure.ts';
import { checkKustomization } from '../../payload/check-kustomization.ts';
import { type FileTree, resolvePath } from '../../plan/file-tree.ts';
import type { ComponentName } from '../../plan/names.ts';
import type { StepContext } from '../step.ts';
import { writeTree } from '../write-tree.ts';

/**
 * What `kustomize build PATH` prints. Its inputs are data, and kustomize is trusted; plugins and Helm are off
 * (kustomize's default), remote bases are refused, and links that lead out of the component are not there.
 */
export async function renderKustomize(
  component: ComponentName,
  source: FileTree,
  path: string,
  { configuration, confined, workdir, signal, log }: StepContext,
): Promise<string> {
  demand(checkKustomization(component, source, path));
  const cwd = await mkdtemp(join(workdir, 'kustomize-'));
  try {
    await writeTree(withoutStrayLinks(source), join(cwd, 'source'));
    const { stdout, stderr, exitCode } = await confined.run(
      configuration.tools.kustomize,
      ['build', '--load-restrictor', 'LoadRestrictionsRootOnly', path],
      { cwd: join(cwd, 'source'), signal },
    );
    if (stderr !== '') log(stderr);
    if (exitCode === 0) return stdout.toString();
    throw new FailureError({
      reason: 'bad-payload',
      detail: `kustomize cannot build ${path} of ${component}: ${lastLine(stderr)}`,
      hint: `Try \`kustomize build ${path}\` in the component, without network, and mend it in the ref.`,
      about: { component, path },
    });
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

function withoutStrayLinks(tree: FileTree): FileTree {
  return new Map([...tree].filter(([path]) => resolvePath(tree, path) !== undefined));
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.slice(0, 500) || 'it ended without a word';
}
