import { createHash } from 'node:crypto';
import { type Failure, FailureError } from '../../builds/failure.ts';
import { type CommitSha, parseTreeSha, type TreeSha } from '../../plan/names.ts';
import type { Git } from './git-command.ts';
import { askServer, GitError } from './git-failure.ts';
import type { GitSetting } from './git-settings.ts';
import { withRepositoryLock } from './repository-lock.ts';

/**
 * The objects of a mirror: a bare repository that holds whole histories, and trees and files only as
 * far as they were asked for. Git calls that a partial clone; its remotes stand in the environment
 * of each command, because git would write them into the mirror's configuration, and two
 * fetches at once fail on that. Without them git fetches nothing by itself, so that nothing is ever
 * fetched file by file.
 */
export class GitStore {
  readonly git: Git;
  readonly repository: string;
  /** Where each commit that was asked for comes from. */
  readonly #origins = new Map<CommitSha, string>();
  readonly #fetchedAnew = new Set<CommitSha | TreeSha>();
  /** Trees that were seen here, and those of commits: neither changes. */
  readonly #here = new Set<TreeSha>();
  readonly #trees = new Map<CommitSha, TreeSha>();
  #queue: Promise<unknown> = Promise.resolve();

  constructor(git: Git, repository: string) {
    this.git = git;
    this.repository = repository;
  }

  /** Commits with all their ancestors, without trees. */
  async fetchCommits(url: string, commits: readonly CommitSha[]): Promise<void> {
    for (const commit of commits) this.#origins.set(commit, url);
    if ((await this.#unknown(commits)).length === 0) return;
    await this.locked(async () => {
      const unknown = await this.#unknown(commits);
      if (unknown.length === 0) return;
      const refspecs = unknown.map((commit) => `+${commit}:${pinned(commit)}`);
      await this.#fetch(url, ['--filter=tree:0'], refspecs);
    });
  }

  /** Says that an ancestor of a fetched commit comes from where that one came from. */
  adopt(ancestor: CommitSha, descendant: CommitSha): void {
    const url = this.#origins.get(descendant);
    if (url !== undefined && !this.#origins.has(ancestor)) this.#origins.set(ancestor, url);
  }

  /** Where a commit that was asked for comes from. */
  originOf(commit: CommitSha): string | undefined {
    return this.#origins.get(commit);
  }

  /** Any refs, by refspec, with all their ancestors, without trees. */
  async fetchRefs(url: string, refspecs: readonly string[]): Promise<void> {
    await this.locked(() => this.#fetch(url, ['--filter=tree:0'], refspecs));
  }

  /** All trees of those commits that came from a server; others were made here, trees and all. */
  async ensureTrees(objects: readonly (CommitSha | TreeSha)[]): Promise<void> {
    for (const object of objects) {
      const commit = object as CommitSha;
      const url = this.#origins.get(commit);
      if (url === undefined) continue;
      const tree = await this.treeOf(commit);
      if (!(await this.#lacksTree(tree))) continue;
      await this.locked(() => this.#fetchObjects(url, [tree], 'blob:none'));
    }
  }

  /** Blobs of trees that are here, and the bytes of all of them; they are asked for where the commits that hold them came from. */
  async ensureBlobs(blobs: readonly string[]): Promise<number> {
    const look = await this.#measure(blobs);
    let missing = new Set(look.missing);
    if (missing.size === 0) return look.bytes;
    await this.locked(async () => {
      missing = new Set(await this.missing([...missing]));
      for (const [commit, url] of this.#origins) {
        if (missing.size === 0) return;
        if (await this.#lacksTree(await this.treeOf(commit))) continue;
        const held = (await this.blobsOf(commit)).filter((blob) => missing.has(blob));
        if (held.length === 0) continue;
        await this.#fetchObjects(url, held, 'none');
        for (const blob of held) missing.delete(blob);
      }
    });
    if (missing.size > 0) throw new Error(`no server is known for ${[...missing].slice(0, 3)}`);
    return (await this.#measure(blobs)).bytes;
  }

  /** A commit as git keeps it; a stranger may have written anything behind its message. */
  commitObject(commit: CommitSha): ReturnType<Git> {
    return this.run(['cat-file', 'commit', commit], { maxOutput: longestCommit });
  }

  async treeOf(commit: CommitSha): Promise<TreeSha> {
    const known = this.#trees.get(commit);
    if (known !== undefined) return known;
    // Not `COMMIT^{tree}`: git would want to see the tree, which may not be here yet.
    const { stdout } = await this.commitObject(commit);
    const tree = parseTreeSha(/^tree ([0-9a-f]{40})\n/.exec(stdout.toString('latin1'))?.[1] ?? '');
    if (tree === undefined) throw new Error(`commit ${commit} names no tree`);
    this.#trees.set(commit, tree);
    return tree;
  }

  /** Object names of all files of a commit or tree whose trees are here. */
  async blobsOf(tree: CommitSha | TreeSha): Promise<string[]> {
    const listed = await this.list(tree, ['--format=%(objecttype) %(objectname)']);
    const rows = listed.toString().split('\0');
    return [...new Set(rows.filter((row) => row.startsWith('blob ')).map((row) => row.slice(5)))];
  }

  /** What `git ls-tree -r -z` says of a commit or tree whose trees are here; a stranger may nest few trees to a list without end. */
  async list(
    tree: CommitSha | TreeSha,
    options: readonly string[],
    paths: readonly string[] = [],
  ): Promise<Buffer> {
    const args = ['ls-tree', '-r', '-z', '--full-tree', ...options, tree, '--', ...paths];
    const listed = () => this.run(args, { maxOutput: longestList });
    try {
      return (await listed().catch((error) => this.#healed(tree, error).then(listed))).stdout;
    } catch (error) {
      if (!(error instanceof GitError)) throw error;
      throw new FailureError({
        reason: 'unusable-files',
        detail: `The files of ${tree} cannot be listed: ${error.stderr.trim().slice(0, 300) || 'git crashes over them'}.`,
        hint: 'Its trees are damaged, incomplete or nested too deeply: check the repository with `git fsck`.',
        about: { tree },
      });
    }
  }

  /** Fetches the trees of a commit anew, once: what a disk lost comes again. Throws `error` where that is no help. */
  async #healed(tree: CommitSha | TreeSha, error: unknown): Promise<void> {
    const url = this.#origins.get(tree as CommitSha);
    if (!(error instanceof GitError) || url === undefined || this.#fetchedAnew.has(tree))
      throw error;
    this.#fetchedAnew.add(tree);
    const root = await this.treeOf(tree as CommitSha);
    await this.locked(() => this.#fetch(url, ['--filter=blob:none', '--refetch'], [root]));
  }

  /** Those of the objects that are not here. */
  async missing(objects: readonly string[]): Promise<string[]> {
    return (await this.#measure(objects)).missing;
  }

  /** Objects that are not here, and the bytes of those that are. */
  async #measure(objects: readonly string[]): Promise<{ missing: string[]; bytes: number }> {
    if (objects.length === 0) return { missing: [], bytes: 0 };
    const answer = await this.run(['cat-file', '--batch-check=%(objectsize)', '--buffer'], {
      input: `${objects.join('\n')}\n`,
    });
    const rows = answer.stdout.toString().split('\n');
    const missing = rows.filter((row) => row.endsWith(' missing')).map((row) => row.slice(0, -8));
    const bytes = rows.reduce((sum, row) => sum + (/^\d+$/.test(row) ? Number(row) : 0), 0);
    return { missing, bytes };
  }

  /** Git in this repository; it sees no remote and fetches nothing. */
  run(args: readonly string[], options: Parameters<Git>[1] = {}): ReturnType<Git> {
    return this.git(args, { repository: this.repository, maxOutput: 2 ** 30, ...options });
  }

  /** Fetches one after the other: those of this process by a queue, those of others by a file. */
  locked<Value>(work: () => Promise<Value>): Promise<Value> {
    const turn = this.#queue.then(() => withRepositoryLock(this.repository, work));
    this.#queue = turn.catch(() => {});
    return turn;
  }

  async #unknown(commits: readonly CommitSha[]): Promise<CommitSha[]> {
    const refs = commits.map(pinned);
    const listed = await this.run(['for-each-ref', '--format=%(refname)', ...refs]);
    const known = new Set(listed.stdout.toString().split('\n'));
    return commits.filter((commit) => !known.has(pinned(commit)));
  }

  // Trees are fetched whole or not at all, so the root stands for all of them.
  async #lacksTree(tree: TreeSha): Promise<boolean> {
    if (this.#here.has(tree)) return false;
    const lacks = (await this.missing([tree])).length > 0;
    if (!lacks) this.#here.add(tree);
    return lacks;
  }

  async #fetchObjects(url: string, objects: readonly string[], filter: 'blob:none' | 'none') {
    const option = filter === 'none' ? '--no-filter' : `--filter=${filter}`;
    // What is here says nothing about what is missing: the server must not leave anything out.
    await this.#fetch(url, [option], objects, [['fetch.negotiationAlgorithm', 'noop']]);
    const [lacking] = await this.missing(objects);
    if (lacking !== undefined) throw new FailureError(notSent(url, lacking));
  }

  async #fetch(
    url: string,
    options: readonly string[],
    refspecs: readonly string[],
    config: readonly GitSetting[] = [],
  ): Promise<void> {
    const name = `r${createHash('sha256').update(url).digest('hex').slice(0, 12)}`;
    const remote: GitSetting[] = [
      [`remote.${name}.url`, url],
      [`remote.${name}.promisor`, 'true'],
      [`remote.${name}.partialCloneFilter`, 'tree:0'],
    ];
    const fixed = [
      '--quiet',
      '--no-tags',
      '--no-write-fetch-head',
      '--no-auto-maintenance',
      '--stdin',
    ];
    await askServer(url, () =>
      this.run(['fetch', ...fixed, ...options, '--end-of-options', name], {
        config: [...remote, ...config],
        server: url,
        input: `${refspecs.join('\n')}\n`,
        timeout: 900_000,
      }),
    );
  }
}

/** A ref keeps what was fetched, and tells the server at the next fetch what is here. */
function pinned(commit: CommitSha): string {
  return `refs/pinned/${commit}`;
}

const longestCommit = 16 * 2 ** 20;

/** Bytes of a list of files: a million of them. */
const longestList = 64 * 2 ** 20;

function notSent(url: string, object: string): Failure {
  return {
    reason: 'git-unavailable',
    detail: `${url}: the git server was asked for ${object}, and sent something else.`,
    hint: 'Its repository is damaged, or it does not tell the truth. Name another repository that has the commit.',
  };
}
