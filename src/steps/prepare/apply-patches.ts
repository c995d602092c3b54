import type { Failure } from '../../builds/failure.ts';
import type { FileTree } from '../../plan/file-tree.ts';
import type { PatchPolicy } from '../../plan/lock.ts';
import type { ComponentName, TreeSha } from '../../plan/names.ts';
import type { PatchReport } from '../../plan/plan.ts';
import { isScript, patchFiles } from '../../product/patch-files.ts';
import type { Component } from '../../product/product.ts';
import type { Mirror, PatchOutcome } from '../../resolve/git-interface.ts';
import type { BuilderContext } from '../run-in-builder.ts';
import { runPatchScript } from './run-patch-script.ts';

/** The downstream patches of a component, after they were tried. */
export interface Patched {
  /** Tree that is built: with the patches where Tributary applies them. */
  readonly tree: TreeSha;
  readonly reports: readonly PatchReport[];
  /** Patches that the Dockerfile has to apply, in order. */
  readonly left: readonly string[];
  readonly failures: readonly Failure[];
}

/**
 * Tries the patches of a component one on the result of the other, as whoever applies them will. A patch
 * that is contained is skipped; of those that conflict all are told that can be: the first of each component.
 */
export async function applyPatches(
  component: ComponentName,
  rule: NonNullable<Component['patches']>,
  policy: PatchPolicy | undefined,
  product: FileTree,
  source: { readonly tree: TreeSha; readonly ref: string },
  mirror: Mirror,
  context: BuilderContext,
): Promise<Patched> {
  const by = rule['applied-by'];
  const reports: PatchReport[] = [];
  const left: string[] = [];
  let tree = source.tree;
  for (const [patch, content] of patchFiles(product, rule)) {
    if (isBypassed(policy, patch)) {
      reports.push({ component, patch, outcome: 'bypassed', by });
      continue;
    }
    const outcome =
      isScript(patch) && rule.image !== undefined
        ? await runPatchScript(
            { component, patch, content, image: rule.image },
            { tree, ref: source.ref },
            mirror,
            context,
          )
        : await mirror.apply(tree, content);
    if (outcome.kind === 'failed') return { tree, reports, left, failures: [outcome.failure] };
    if (outcome.kind === 'conflict') {
      const failure = conflict(component, patch, source.ref, outcome);
      return { tree, reports, left, failures: [failure] };
    }
    reports.push({ component, patch, outcome: outcome.kind, by });
    if (outcome.kind === 'contained') continue;
    tree = outcome.tree;
    left.push(patch);
  }
  return by === 'tributary'
    ? { tree, reports, left: [], failures: [] }
    : { tree: source.tree, reports, left, failures: [] };
}

function isBypassed(policy: PatchPolicy | undefined, patch: string): boolean {
  if (policy === undefined) return false;
  return policy === 'none' || policy.skip.includes(patch);
}

function conflict(
  component: ComponentName,
  patch: string,
  ref: string,
  { files, message }: Extract<PatchOutcome, { kind: 'conflict' }>,
): Failure {
  const where = files.length === 0 ? message.split('\n')[0] : files.join(', ');
  return {
    reason: 'patch-conflict',
    detail: `The downstream patch ${patch} of ${component} does not apply to ${ref}: ${where}.`,
    hint: `Either the change has to leave these lines alone, or the patch has to follow it. To build without it: "patches": {"${component}": {"skip": ["${patch}"]}}.`,
    about: { component, patch, ref, files },
  };
}
