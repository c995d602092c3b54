import type { Approval, Approvals } from '../../src/access/approvals.ts';

/** Approvals that last as long as a test. */
export function memoryApprovals(...first: readonly Approval[]): Approvals {
  const kept = new Map(first.map((approval) => [approval.commit, approval]));
  return {
    find: async (commit) => kept.get(commit),
    add: async (approval) => {
      const known = kept.get(approval.commit);
      if (known === undefined) kept.set(approval.commit, approval);
      return { added: known === undefined, approval: known ?? approval };
    },
    list: async () => [...kept.values()].reverse(),
    remove: async (commit) => {
      const removed = kept.get(commit);
      kept.delete(commit);
      return removed;
    },
  };
}
