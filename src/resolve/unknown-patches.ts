import type { Failure } from '../builds/failure.ts';
import type { FileTree } from '../plan/file-tree.ts';
import type { Lock } from '../plan/lock.ts';
import type { ComponentName } from '../plan/names.ts';
import { patchFiles } from '../product/patch-files.ts';
import type { Product } from '../product/product.ts';
import { didYouMean } from '../request/nearest.ts';
import { quote } from '../request/quote.ts';
import { pointerTo } from '../request/shape-problems.ts';

/** Patches that a request skips and that do not exist: probably another one was meant, which would be applied. */
export function unknownPatches(
  policies: Lock['patches'],
  product: Product,
  files: FileTree,
): readonly Failure[] {
  return (Object.keys(policies) as ComponentName[]).flatMap((component) => {
    const policy = policies[component];
    const rule = product.components[component]?.patches;
    if (policy === undefined || policy === 'none' || rule === undefined) return [];
    const known = patchFiles(files, rule).map(([name]) => name);
    return policy.skip
      .filter((name) => !known.includes(name))
      .map((name) => unknownPatch(component, name, known));
  });
}

function unknownPatch(component: ComponentName, name: string, known: readonly string[]): Failure {
  const list = known.length === 0 ? 'There are none.' : `Its patches: ${known.join(', ')}.`;
  return {
    reason: 'unknown-patch',
    detail: `The product has no patch ${quote(name)} of ${component}.`,
    hint: didYouMean(name, known) ?? list,
    pointer: pointerTo(['patches', component, 'skip']),
    about: { component, patch: name },
  };
}
