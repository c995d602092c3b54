/** A file of a {@link FileTree}; the content of a symbolic link (mode 120000) is its target. */
export interface TreeFile {
  readonly mode: '100644' | '100755' | '120000';
  readonly content: Buffer;
}

/**
 * The files of a git tree by path (`config/controller.yaml`), in memory: nothing in it can lead out
 * of it, which a folder with symbolic links from a stranger could.
 */
export type FileTree = ReadonlyMap<string, TreeFile>;
