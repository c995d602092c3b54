import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { PinnedSource } from '../../plan/lock.ts';
import type { TreeSha } from '../../plan/names.ts';
import type { Source } from '../../plan/plan.ts';
import type { Difference } from './not-included.ts';

/** Metadata of a source artifact: the commit, and the git object that its name is the hash of. */
export const SourceMetadata = z.looseObject({ commit: z.string(), commitObject: z.string() });

type Found = Pick<Difference, 'what' | 'expected' | 'found'>;

/**
 * Proves that the files of a source artifact are what the lock asks for: their tree is the plan's, the
 * commit object hashes to the plan's commit, names that tree, and descends from what the lock pins. Returns
 * what does not hold. `patched`: Tributary applied patches, so the tree built is not the commit's own.
 */
export function proveCommit(
  source: Source,
  metadata: unknown,
  tree: TreeSha,
  patched: boolean,
): Found[] {
  const wrong: Found[] = [];
  const check = (what: string, expected: string, found: string) => {
    if (expected !== found) wrong.push({ what, expected, found });
  };
  check(
    'the files that were built are not those of the plan.',
    `tree ${source.tree}`,
    `tree ${tree}`,
  );
  if (!patched) {
    check(
      'no patch was applied, and yet it is not the tree of the commit.',
      source.commitTree,
      source.tree,
    );
  }
  const parsed = SourceMetadata.safeParse(metadata);
  if (!parsed.success) {
    check(
      'the source has no commit object, so nothing proves the commit.',
      source.commit,
      'nothing',
    );
    return wrong;
  }
  const commit = readCommit(parsed.data.commitObject, source.commit);
  check('the commit object is not that of the commit.', source.commit, commit.sha);
  check('the commit has another tree.', source.commitTree, commit.tree);
  checkDescent(source.from, commit, check);
  return wrong;
}

/** Whether the commit is, or comes from, what the lock pins. */
function checkDescent(
  from: PinnedSource,
  { sha, parents }: Commit,
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
    check('a pick has one parent.', '1', String(parents.length));
  }
}

interface Commit {
  readonly sha: string;
  readonly tree: string;
  readonly parents: readonly string[];
}

/** A commit message need not be UTF-8, and JSON is: the encoding is the one that gives the commit's name. */
function readCommit(text: string, expected: string): Commit {
  const encodings = ['utf8', 'latin1', 'base64'] as const;
  const candidates = encodings.map((encoding) => parseCommit(Buffer.from(text, encoding)));
  return candidates.find(({ sha }) => sha === expected) ?? (candidates[0] as Commit);
}

function parseCommit(bytes: Buffer): Commit {
  const sha = createHash('sha1').update(`commit ${bytes.length}\0`).update(bytes).digest('hex');
  const [headers = ''] = bytes.toString('latin1').split('\n\n', 1);
  const values = (key: string) =>
    headers
      .split('\n')
      .flatMap((line) => (line.startsWith(`${key} `) ? line.slice(key.length + 1) : []));
  return { sha, tree: values('tree')[0] ?? 'none', parents: values('parent') };
}
