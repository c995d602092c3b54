import type { RefReading } from '../builds/build.ts';
import { unreachable } from '../builds/result.ts';
import { type CommitSha, parseCommitSha } from '../plan/names.ts';
import { parseRef, type Ref } from '../request/ref.ts';
import { type Repository, repositoryAt } from '../request/repository.ts';
import { fullName } from './find-ref.ts';
import type { Outside } from './resolve-ref.ts';

/**
 * Whose repository the code of a ref comes from, as `HOST/OWNER`; undefined where that cannot be told. A pull request
 * comes from its fork, which the forge's API alone knows. **A commit comes from anywhere**: GitHub serves the commits
 * of all forks under every one of them, so it is the repository's own only where one of its branches holds it.
 */
export async function findOwner(
  reading: RefReading,
  outside: Pick<Outside, 'servers' | 'mirrors' | 'forges'>,
): Promise<string | undefined> {
  const parsed = parseRef(reading.ref);
  const commit = parseCommitSha(reading.commit);
  if (!parsed.ok || commit === undefined) return undefined;
  const ref = parsed.value;
  switch (ref.kind) {
    case 'default-branch':
    case 'branch':
    case 'tag':
      return ownerOf(ref.repository);
    case 'pull-request':
      return ownerOfPull(ref, commit, outside);
    case 'name':
      // What may be an abbreviated commit is taken for one.
      if (!/^[0-9a-f]{4,39}$/i.test(ref.name)) return ownerOf(ref.repository);
      return (await isHeld(commit, ref.repository, outside)) ? ownerOf(ref.repository) : undefined;
    case 'commit':
    case 'abbreviation':
      return (await isHeld(commit, ref.repository, outside)) ? ownerOf(ref.repository) : undefined;
    case 'full-ref':
      // Such as refs/changes/…: whoever wants to writes it.
      return undefined;
    default:
      return unreachable(ref);
  }
}

async function ownerOfPull(
  { repository, number }: Extract<Ref, { kind: 'pull-request' }>,
  commit: CommitSha,
  { forges }: Pick<Outside, 'forges'>,
): Promise<string | undefined> {
  const pull = await forges.get(repository.host)?.pullRequest(repository, number);
  // Where it moved since it was read, the commit may be anybody's.
  if (pull?.from === undefined || !pull.commits.includes(commit)) return undefined;
  return ownerOf(repositoryAt('https', repository.host, pull.from));
}

/** Whether the repository itself has a commit: as a branch or tag, or in the history of its default branch. */
async function isHeld(
  commit: CommitSha,
  { url }: Repository,
  { servers, mirrors }: Pick<Outside, 'servers' | 'mirrors'>,
): Promise<boolean> {
  const { refs, defaultBranch } = await servers.advertisement(url);
  for (const [name, at] of refs)
    if (at === commit && /^refs\/(heads|tags)\//.test(name)) return true;
  const tip = defaultBranch && refs.get(fullName('branch', defaultBranch));
  if (tip === undefined || tip === '') return false;
  const mirror = await mirrors.mirror(url);
  await mirror.fetch(url, [commit, tip]);
  return (await mirror.mergeBase(commit, tip)) === commit;
}

/** `github.com/tektoncd` of `tektoncd/pipeline` there; a group of groups is an owner of its own. */
function ownerOf({ host, path }: Repository): string {
  return `${host}/${path.split('/').slice(0, -1).join('/')}`;
}
