import type { FileTree } from '../plan/file-tree.ts';
import type { Component } from './product.ts';

/**
 * The downstream patches in a folder of the productization repository, in the order in which they apply: `*.patch`, and
 * `*.sh` where the rule names an image that scripts run in.
 */
export function patchFiles(
  product: FileTree,
  { dir, image }: Pick<NonNullable<Component['patches']>, 'dir' | 'image'>,
): readonly (readonly [string, Buffer])[] {
  const prefix = dir === '.' ? '' : `${dir}/`;
  return [...product]
    .filter(([path, { mode }]) => path.startsWith(prefix) && mode !== '120000')
    .map(([path, { content }]) => [path.slice(prefix.length), content] as const)
    .filter(
      ([name]) =>
        !name.includes('/') && (name.endsWith('.patch') || (image !== undefined && isScript(name))),
    )
    .sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
}

/** Whether a patch is a script. */
export function isScript(patch: string): boolean {
  return patch.endsWith('.sh');
}
