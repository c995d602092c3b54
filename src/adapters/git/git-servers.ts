import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommitSha, parseCommitSha } from '../../plan/names.ts';
import type { Advertisement, GitServers } from '../../resolve/git-interface.ts';
import { type Git, line } from './git-command.ts';
import { askServer, meansNoObject } from './git-failure.ts';

/** Asks git servers what they have. */
export function createGitServers(git: Git): GitServers {
  return {
    async advertisement(url) {
      // No pattern: git would match it by suffix, and asks the server for everything all the same.
      const args = ['ls-remote', '--symref', '--end-of-options', url];
      const answer = await askServer(url, () =>
        git(args, { server: url, timeout: 60_000, maxOutput: 256 * 2 ** 20 }),
      );
      return parseAdvertisement(answer.stdout.toString('utf8'));
    },
    commit: (url, sha) => findCommit(git, url, sha),
  };
}

/** What `git ls-remote --symref` prints. */
export function parseAdvertisement(text: string): Advertisement {
  const refs = new Map<string, CommitSha>();
  let defaultBranch: string | undefined;
  for (const row of text.split('\n')) {
    const [value = '', name = ''] = row.split('\t');
    const commit = parseCommitSha(value);
    if (commit === undefined) {
      if (name === 'HEAD') defaultBranch = /^ref: refs\/heads\/(.+)$/.exec(value)?.[1];
    } else {
      // `refs/tags/v1^{}` follows `refs/tags/v1` and is the commit that the tag object names.
      refs.set(name.replace(/\^\{\}$/, ''), commit);
    }
  }
  return { refs, defaultBranch };
}

/** A depth-1 fetch without trees into a repository that is thrown away: it would make a mirror shallow. */
async function findCommit(git: Git, url: string, sha: string): Promise<CommitSha | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-commit-'));
  const repository = join(folder, 'repository');
  try {
    await git(['init', '--quiet', '--bare', '--template=', repository]);
    const found = await askServer(url, () => fetchOne(git, repository, url, sha));
    if (!found) return undefined;
    const peeled = await git(['rev-parse', '--verify', '--quiet', 'FETCH_HEAD^{commit}'], {
      repository,
      expected: [0, 1, 128],
    });
    return parseCommitSha(line(peeled));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function fetchOne(git: Git, repository: string, url: string, sha: string): Promise<boolean> {
  const fetch = ['fetch', '--quiet', '--depth=1', '--no-tags', '--filter=tree:0'];
  try {
    await git([...fetch, '--end-of-options', url, sha], {
      server: url,
      repository,
      timeout: 60_000,
    });
    return true;
  } catch (error) {
    if (meansNoObject(error)) return false;
    throw error;
  }
}
