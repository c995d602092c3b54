import type { FileTree } from '../plan/file-tree.ts';

/** Import paths after `ko://`, wherever they stand: also in comments, and inside longer words. */
export function koReferences(files: FileTree): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { content } of files.values()) {
    if (!content.includes('ko://')) continue;
    for (const match of content.toString('latin1').matchAll(/ko:\/\/([A-Za-z0-9][\w./~+-]*)/g)) {
      found.add((match[1] as string).replace(/[./]+$/, ''));
    }
  }
  return found;
}
