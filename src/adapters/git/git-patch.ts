import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseTreeSha, type TreeSha } from '../../plan/names.ts';
import type { PatchOutcome } from '../../resolve/git-interface.ts';
import { line } from './git-command.ts';
import type { GitStore } from './git-store.ts';

/**
 * Tries a patch on a tree in an index of its own. There is no work tree: in a folder inside another
 * repository `git apply` silently does nothing, and a patch could write through symbolic links.
 */
export async function applyPatch(
  store: GitStore,
  tree: TreeSha,
  patch: Buffer,
): Promise<PatchOutcome> {
  // Nothing to do is done. (`git apply` calls an empty patch an error.)
  if (patch.toString('latin1').trim() === '') return { kind: 'contained' };
  // `git apply` reads what it patches, and would call a file that was not fetched yet a conflict.
  await store.ensureBlobs(await store.blobsOf(tree));
  const folder = await mkdtemp(join(tmpdir(), 'tributary-patch-'));
  const env = { GIT_INDEX_FILE: join(folder, 'index') };
  const apply = (...options: string[]) =>
    store.run(['apply', '--cached', ...options, '-'], { env, input: patch, expected: [0, 1, 128] });
  try {
    await store.run(['read-tree', tree], { env });
    const forward = await apply();
    if (forward.exitCode === 0) {
      const written = parseTreeSha(line(await store.run(['write-tree', '--missing-ok'], { env })));
      if (written === undefined) throw new Error('git write-tree named no tree');
      return { kind: 'applied', tree: written };
    }
    const backward = await apply('--check', '--reverse');
    if (backward.exitCode === 0) return { kind: 'contained' };
    return { kind: 'conflict', files: filesOf(forward.stderr), message: forward.stderr.trim() };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Files that `git apply` complains about: `error: patch failed: cmd/main.go:12`, `error: cmd/main.go: …`. */
function filesOf(stderr: string): readonly string[] {
  const files = stderr.split('\n').flatMap((row) => {
    const failed = /^error: patch failed: (.+):\d+$/.exec(row)?.[1];
    const other =
      /^error: (.+): (?:does not exist|already exists|patch does not apply|No such file|wrong type|does not match)/.exec(
        row,
      )?.[1];
    return failed ?? other ?? [];
  });
  return [...new Set(files)].sort();
}
