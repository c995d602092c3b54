import { type PastBuild, type PastBuilds, summarize } from '../../src/engine/tekton/past-builds.ts';

/** A registry that has records of these builds, and answers otherwise where a test says so. */
export function pastOf(
  past: readonly PastBuild[],
  instead: Partial<Pick<PastBuilds, 'find' | 'tags'>> = {},
): PastBuilds {
  const records = {
    find: async (tag: string) => past.find(({ asked }) => asked.tag === tag),
    tags: async () => past.map(({ asked }) => asked.tag),
    ...instead,
  };
  return {
    ...records,
    async summary(tag) {
      const found = await records.find(tag);
      return found && summarize(found);
    },
  };
}
