import type { Failure } from '../builds/failure.ts';
import { type FileTree, folders, subtree, type TreeFile } from '../plan/file-tree.ts';
import type { ComponentName } from '../plan/names.ts';
import { didYouMean } from '../request/nearest.ts';
import { failureAt, type Locate } from './place.ts';
import type { Component, Product } from './product.ts';

type Rule = Pick<NonNullable<Component['patches']>, 'dir' | 'image'>;

/**
 * The downstream patches in a folder of the productization repository, in the order in which they apply: `*.patch`, and
 * `*.sh` where the rule names an image that scripts run in.
 */
export function patchFiles(product: FileTree, rule: Rule): readonly (readonly [string, Buffer])[] {
  return [...subtree(product, rule.dir)]
    .filter(([name, file]) => isPatch(name, rule) && whyUnusable(name, file) === undefined)
    .map(([name, { content }]) => [name, content] as const)
    .sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
}

/**
 * Patches that would be left out without a word: a folder that is not there (one that has no patch now keeps
 * its place by any other file), a link, and a file that holds no change.
 */
export function patchProblems(tree: FileTree, product: Product, locate: Locate): Failure[] {
  return (Object.entries(product.components) as [ComponentName, Component][]).flatMap(
    ([component, { patches }]) => {
      if (patches === undefined) return [];
      const files = subtree(tree, patches.dir);
      if (files.size === 0) return [missingFolder(tree, component, patches.dir, locate)];
      return [...files]
        .filter(([name]) => isPatch(name, patches))
        .flatMap(([name, file]) => {
          const path = patches.dir === '.' ? name : `${patches.dir}/${name}`;
          const why = whyUnusable(name, file);
          return why === undefined ? [] : [unusable(path, component, why)];
        });
    },
  );
}

function isPatch(name: string, { image }: Rule): boolean {
  if (name.includes('/')) return false;
  return name.endsWith('.patch') || (image !== undefined && isScript(name));
}

/** Whether a patch is a script. */
export function isScript(patch: string): boolean {
  return patch.endsWith('.sh');
}

function whyUnusable(name: string, { mode, content }: TreeFile): string | undefined {
  if (mode === '120000') return 'it is a link';
  const holdsChange =
    isScript(name) || /^(diff --git |--- |GIT binary patch)/m.test(content.toString('latin1'));
  return holdsChange ? undefined : 'it holds no change';
}

function missingFolder(
  tree: FileTree,
  component: ComponentName,
  dir: string,
  locate: Locate,
): Failure {
  const all = [...new Set([...tree.keys()].flatMap(folders))];
  return failureAt(locate(['components', component, 'patches', 'dir']), {
    reason: 'bad-product',
    detail: `the patches of ${component} are to be in ${dir}, and the productization repository has no such folder.`,
    hint:
      didYouMean(dir, all) ??
      'Correct `patches.dir`, leave `patches` out, or add the folder (git keeps none without a file: a README will do).',
    about: { component },
  });
}

function unusable(file: string, component: ComponentName, why: string): Failure {
  return failureAt(
    { file, line: 1 },
    {
      reason: 'bad-product',
      detail: `the patch of ${component} cannot be applied: ${why}.`,
      hint: 'Put a file there that `git format-patch` made, or remove it.',
      about: { component },
    },
  );
}
