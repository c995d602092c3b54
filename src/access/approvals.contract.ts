import { describe, expect, test } from 'vitest';
import type { CommitSha } from '../plan/names.ts';
import type { Approval, Approvals } from './approvals.ts';

/** The commit of 40 times a digit. */
export function commitOf(digit: string): CommitSha {
  return digit.repeat(40) as CommitSha;
}

/** An approval of it. */
export function approvalOf(digit: string, at = '2026-11-23T10:00:00.000Z'): Approval {
  return { commit: commitOf(digit), ref: 'tektoncd/pipeline#4638', by: 'eve', at };
}

/** What holds of approvals wherever they are kept; `open` gives another view of the same. */
export function approvalsContract(where: string, open: () => Approvals): void {
  describe(`approvals in ${where}`, () => {
    test('are found by their commit, and under no other', async () => {
      await open().add(approvalOf('a'));
      expect(await open().find(commitOf('a'))).toEqual(approvalOf('a'));
      expect(await open().find(commitOf('b'))).toBeUndefined();
    });

    test('the first who approves stays, also of two at once', async () => {
      const both = await Promise.all([
        open().add(approvalOf('a')),
        open().add({ ...approvalOf('a'), by: 'bob' }),
      ]);
      expect(both.map(({ added }) => added).sort()).toEqual([false, true]);
      expect(both[0]?.approval).toEqual(both[1]?.approval);
    });

    test('are listed newest first', async () => {
      for (const [at, digit] of ['c', 'a', 'e', 'b', 'd'].entries())
        await open().add(approvalOf(digit, `2026-11-23T10:00:0${at}.000Z`));
      const listed = await open().list();
      expect(listed.map(({ commit }) => commit[0])).toEqual(['d', 'b', 'e', 'a', 'c']);
      expect(listed[4]).toEqual(approvalOf('c'));
    });

    test('are taken away once', async () => {
      await open().add(approvalOf('a'));
      expect(await open().remove(commitOf('a'))).toEqual(approvalOf('a'));
      expect(await open().remove(commitOf('a'))).toBeUndefined();
      expect(await open().find(commitOf('a'))).toBeUndefined();
      expect((await open().add(approvalOf('a'))).added).toBe(true);
    });
  });
}
