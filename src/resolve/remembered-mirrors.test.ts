import { expect, test } from 'vitest';
import type { CommitSha } from '../plan/names.ts';
import type { Mirror } from './git-interface.ts';
import { remembered } from './remembered-mirrors.ts';

const [head, base, ancestor] = ['a', 'b', 'c'].map((digit) => digit.repeat(40)) as [
  CommitSha,
  CommitSha,
  CommitSha,
];

/** A mirror that says what it was asked. */
async function listening(mergeBase: () => Promise<CommitSha | undefined> = async () => ancestor) {
  const asked: string[] = [];
  const raw = {
    fetch: async (url: string, [commit]: readonly CommitSha[]) => {
      asked.push(`fetch ${url} ${commit?.charAt(0)}`);
    },
    mergeBase: (a: CommitSha, b: CommitSha) => {
      asked.push(`mergeBase ${a.charAt(0)} ${b.charAt(0)}`);
      return mergeBase();
    },
    files: async () => {
      asked.push('files');
      return { files: new Map(), submodules: [] };
    },
  };
  const mirrors = remembered({
    mirror: async () => raw as unknown as Mirror,
    exportAgain: async () => false,
  });
  return { asked, mirror: await mirrors.mirror('https://git.example.com/a/b') };
}

test('what git said of two commits is asked once, at the same time too, and nothing is fetched for it again', async () => {
  const { asked, mirror } = await listening();
  await mirror.fetch('url', [head]);
  await mirror.fetch('url', [base]);
  expect(asked).toEqual([]);
  expect(await Promise.all([mirror.mergeBase(head, base), mirror.mergeBase(head, base)])).toEqual([
    ancestor,
    ancestor,
  ]);
  await mirror.fetch('url', [head, base]);
  expect(await mirror.mergeBase(head, base)).toBe(ancestor);
  expect(asked).toEqual(['fetch url a', 'fetch url b', 'mergeBase a b']);
});

test('what git has to look at is fetched first, whoever named it', async () => {
  const { asked, mirror } = await listening();
  await mirror.fetch('fork', [head]);
  await mirror.files(head, ['config']);
  await mirror.files(head, ['config']);
  await mirror.files(head);
  await mirror.files(head);
  const whole = ['fetch fork a', 'files'];
  expect(asked).toEqual(['fetch fork a', 'files', ...whole, ...whole]);
});

test('a failure is not kept', async () => {
  let fails = true;
  const { mirror } = await listening(async () => {
    if (fails) throw new Error('no');
    return ancestor;
  });
  await expect(mirror.mergeBase(head, base)).rejects.toThrow('no');
  fails = false;
  expect(await mirror.mergeBase(head, base)).toBe(ancestor);
});
