import type { CommitSha } from '../../plan/names.ts';
import { line } from './git-command.ts';
import type { GitStore } from './git-store.ts';

/** Fetches the repository's tags with the histories they name. (A refspec cannot say "semver only".) */
export async function fetchTags(store: GitStore, url: string): Promise<void> {
  await store.fetchRefs(url, ['+refs/tags/*:refs/tags/*']);
}

/** `v1.2.3`, `1.2.3`, also a pre-release: what may become a folder name that sorts as a version. */
const semver = /^v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$/;

/** The nearest semver tag of a commit without its `v`, as `git describe` finds it. */
export async function nearestVersion(
  store: GitStore,
  commit: CommitSha,
): Promise<string | undefined> {
  const listed = line(
    await store.run(['for-each-ref', '--format=%(refname:lstrip=2)', 'refs/tags/']),
  );
  const tags = listed.split('\n').filter((tag) => semver.test(tag));
  if (tags.length === 0) return undefined;
  const matches = tags.map((tag) => `--match=${tag}`);
  const described = await store.run(['describe', '--tags', '--abbrev=0', ...matches, commit], {
    expected: [0, 128],
  });
  return semver.exec(line(described))?.[1];
}
