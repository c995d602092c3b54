import type { FileTree } from '../plan/file-tree.ts';

/** The downstream patches in a folder of the productization repository: `*.patch`, in the order in which they apply. */
export function patchFiles(product: FileTree, dir: string): readonly (readonly [string, Buffer])[] {
  const prefix = dir === '.' ? '' : `${dir}/`;
  return [...product]
    .filter(([path, { mode }]) => path.startsWith(prefix) && mode !== '120000')
    .map(([path, { content }]) => [path.slice(prefix.length), content] as const)
    .filter(([name]) => !name.includes('/') && name.endsWith('.patch'))
    .sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
}
