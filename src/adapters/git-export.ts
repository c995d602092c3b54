import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { CommitSha } from '../plan/names.ts';
import type { GitStore } from './git-store.ts';

/**
 * Writes a bare repository to `folder` that holds one commit without its history, as `branch` and
 * HEAD, for the service to serve. What was there is replaced.
 */
export async function exportCommit(
  store: GitStore,
  commit: CommitSha,
  folder: string,
  branch: string,
): Promise<void> {
  await store.ensureBlobs(await store.blobsOf(commit));
  await mkdir(dirname(folder), { recursive: true });
  const draft = await mkdtemp(join(dirname(folder), `.${basename(folder)}-`));
  try {
    await store.git([
      'init',
      '--quiet',
      '--bare',
      '--template=',
      `--initial-branch=${branch}`,
      draft,
    ]);
    await writeFile(join(draft, 'shallow'), `${commit}\n`);
    await copyObjects(store, commit, draft);
    await store.git(['update-ref', `refs/heads/${branch}`, commit], { repository: draft });
    // Lets a plain file server serve it, too.
    await store.git(['update-server-info'], { repository: draft });
    await rm(folder, { recursive: true, force: true });
    await rename(draft, folder);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

async function copyObjects(store: GitStore, commit: CommitSha, target: string): Promise<void> {
  const listed = await store.run(['rev-list', '--objects', '--no-walk', commit]);
  const objects = listed.stdout
    .toString('utf8')
    .split('\n')
    .map((row) => row.split(' ')[0]);
  const packed = await store.run(['pack-objects', '--quiet', '--stdout', '--threads=1'], {
    input: objects.join('\n'),
  });
  await store.git(['index-pack', '--stdin'], { repository: target, input: packed.stdout });
}
