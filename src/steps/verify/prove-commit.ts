import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { PinnedSource } from '../../plan/lock.ts';
import type { TreeSha } from '../../plan/names.ts';
import type { Source } from '../../plan/plan.ts';
import type { Difference } from './not-included.ts';

/** What a source artifact says of itself, as far as it is a proof. */
const SourceMetadata = z.looseObject({
  /** The git object whose hash is the commit's name, in base64: a message need not be UTF-8. */
  commitObject: z.string(),
  /** Paths of submodules: they count in a tree's name, and their content is not in the artifact. */
  submodules: z.array(z.string()).default([]),
});

type Found = Pick<Difference, 'what' | 'expected' | 'found'>;

/** What is known of a source. */
export interface CommitProof {
  /** What does not hold; empty where all does. */
  readonly wrong: readonly Found[];
  /** What was believed and not proven: a sentence. */
  readonly believed: string | null;
  /** The tree that is built: of the files, or as stated where submodules, which are not among them, count in it. */
  readonly tree: TreeSha;
}

/**
 * Proves that the files of a source artifact are what the lock asks for: their tree is the plan's, the
 * commit object hashes to the plan's commit, names that tree, and descends from what the lock pins.
 * `patched`: Tributary applied patches, so the tree built is not the commit's own.
 */
export function proveCommit(
  source: Source,
  metadata: unknown,
  tree: TreeSha,
  patched: boolean,
): CommitProof {
  const wrong: Found[] = [];
  const check = (what: string, expected: string, found: string) => {
    if (expected !== found) wrong.push({ what, expected, found });
  };
  const parsed = SourceMetadata.safeParse(metadata);
  if (!parsed.success) {
    check(
      'the source has no commit object, so nothing proves the commit.',
      source.commit,
      'nothing',
    );
    return { wrong, believed: null, tree };
  }
  const { submodules, commitObject } = parsed.data;
  if (submodules.length === 0) {
    check('the files are not those of the plan.', `tree ${source.tree}`, `tree ${tree}`);
  }
  if (!patched) {
    check('it is unpatched, and yet not the commit.', source.commitTree, source.tree);
  }
  const commit = parseCommit(Buffer.from(commitObject, 'base64'));
  check('the commit object is not that of the commit.', source.commit, commit.sha);
  check('the commit has another tree.', source.commitTree, commit.tree);
  checkDescent(source.from, commit, check);
  const built = submodules.length === 0 ? tree : source.tree;
  return { wrong, believed: believedOf(source.from, commit), tree: built };
}

/** Whether the commit is, or comes from, what the lock pins. */
function checkDescent(
  from: PinnedSource,
  { sha, parents, message }: Commit,
  check: (what: string, expected: string, found: string) => void,
): void {
  const found = parents.join(' ') || 'no parent';
  if (from.kind === 'base' || from.kind === 'head') {
    check('it is not the commit that the lock pins.', from.commit, sha);
  } else if (from.kind === 'merge') {
    // A head that holds its base already is its own merge, and a base that holds the head is too.
    if (sha === from.commit || sha === from.base.commit) return;
    check('the merge is not of base and head.', `${from.base.commit} ${from.commit}`, found);
  } else if (sha !== from.onto) {
    // Where nothing is left to pick, it is what the product pins.
    check('the pick is not on top of what the product pins.', from.onto, found);
    const picked = `${from.mergeBase}..${from.commit}`;
    if (!message.includes(picked)) check('the pick is of something else.', picked, message);
  }
}

/**
 * Where one commit holds the other already, nothing was made up that names both: only the history between
 * them could prove it, and that is not in the artifact.
 */
function believedOf(from: PinnedSource, { sha }: Commit): string | null {
  if (from.kind === 'merge') {
    const [branch, head] = [`${from.base.branch} (${short(from.base.commit)})`, short(from.commit)];
    if (sha === from.commit)
      return `That ${head} holds ${branch} already is what git said when the sources were prepared.`;
    if (sha === from.base.commit)
      return `That ${branch} holds ${head} already is what git said when the sources were prepared.`;
  }
  if (from.kind === 'pick' && sha === from.onto)
    return `That ${short(from.onto)} has the changes of ${short(from.commit)} already is what git said when the sources were prepared.`;
  return null;
}

function short(commit: string): string {
  return commit.slice(0, 12);
}

interface Commit {
  readonly sha: string;
  readonly tree: string;
  readonly parents: readonly string[];
  /** Its first line. */
  readonly message: string;
}

function parseCommit(bytes: Buffer): Commit {
  const sha = createHash('sha1').update(`commit ${bytes.length}\0`).update(bytes).digest('hex');
  const text = bytes.toString('latin1');
  const end = text.indexOf('\n\n');
  const headers = text.slice(0, end);
  const [message = ''] = text.slice(end + 2).split('\n', 1);
  const values = (key: string) =>
    headers
      .split('\n')
      .flatMap((line) => (line.startsWith(`${key} `) ? line.slice(key.length + 1) : []));
  return { sha, tree: values('tree')[0] ?? 'none', parents: values('parent'), message };
}
