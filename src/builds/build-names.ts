import { createHash } from 'node:crypto';
import type { Digest, Tag } from '../plan/names.ts';

/** Hex digits of the lock's SHA-256 in a tag, unless another lock has that tag. */
export const shortTag = 6;

/** `<name>-<first hex digits of the lock's SHA-256>`. */
export function buildTag(name: string, lockDigest: Digest, digits: number = shortTag): Tag {
  return `${name}-${lockDigest.slice('sha256:'.length).slice(0, digits)}` as Tag;
}

/** The run's name: `build-operator-bundle-` and 7 hex digits of SHA-256(tag). */
export function pipelinerunName(tag: Tag): string {
  return `build-operator-bundle-${createHash('sha256').update(tag).digest('hex').slice(0, 7)}`;
}

/** The name of a later attempt's run: `…-r2`; the first attempt's is the run's own. */
export function attemptName(pipelinerun: string, attempt: number): string {
  return attempt === 1 ? pipelinerun : `${pipelinerun}-r${attempt}`;
}
