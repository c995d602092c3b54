import { createHash } from 'node:crypto';
import { canonicalHash } from './canonical-hash.ts';
import type { Lock } from './lock.ts';
import type { Digest, Tag } from './names.ts';

/** Hex digits of a tag when no other lock has it: the first length to try; on a clash two more. */
export const shortestTag = 6;

/** SHA-256 of the lock as canonical JSON: two requests with the same one are the same wish. */
export function lockDigest(lock: Lock): Digest {
  return `sha256:${canonicalHash(lock)}` as Digest;
}

/** `<name>-<first hex digits of the lock's digest>`; `length` is even, from {@link shortestTag} to 64. */
export function tagFor(name: string, digest: Digest, length: number = shortestTag): Tag {
  if (length < shortestTag || length > 64) throw new Error(`no tag of ${length} hex digits`);
  return `${name}-${digest.slice('sha256:'.length, 'sha256:'.length + length)}` as Tag;
}

/** The hex digits at the end of a tag. */
export function tagHex(tag: Tag): string {
  return tag.slice(tag.lastIndexOf('-') + 1);
}

/** Name of the run of a tag: `build-operator-bundle-` and 7 hex digits of the tag's SHA-256. */
export function pipelinerunName(tag: Tag): string {
  return `build-operator-bundle-${createHash('sha256').update(tag).digest('hex').slice(0, 7)}`;
}
