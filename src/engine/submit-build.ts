import type { Build, NewBuild } from '../builds/build.ts';
import { pipelinerunName, shortestTag, tagFor } from '../plan/tag.ts';
import type { Engine } from './engine.ts';

/** A build that has no name yet: what {@link submitBuild} names and submits. */
export type UnnamedBuild = Omit<NewBuild, 'tag' | 'pipelinerun'>;

/**
 * Submits a build under the shortest tag that is its own: where another lock has a tag (or its
 * run's name), more digits of the lock's hash are taken, so that the same lock ends at the same tag.
 */
export async function submitBuild(
  engine: Pick<Engine, 'submit'>,
  build: UnnamedBuild,
): Promise<{ readonly kind: 'created' | 'known' | 'restarted'; readonly build: Build }> {
  for (let length = shortestTag; length <= 64; length += 2) {
    const tag = tagFor(build.lock.name, build.lockDigest, length);
    const submission = await engine.submit({ ...build, tag, pipelinerun: pipelinerunName(tag) });
    if (submission.kind !== 'taken') return submission;
  }
  throw new Error(`no free tag for ${build.lock.name} and ${build.lockDigest}`);
}
