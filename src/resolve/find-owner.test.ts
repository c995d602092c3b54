import { expect, test } from 'vitest';
import type { CommitSha } from '../plan/names.ts';
import { findOwner } from './find-owner.ts';
import type { PullRequest } from './forge.ts';
import type { Advertisement, Mirror } from './git-interface.ts';

const commit = (digit: string) => digit.repeat(40) as CommitSha;

/** The repository has main at `d` (which holds `c`), a tag at `b`, and serves `e`, a commit of a fork. */
const advertised: Advertisement = {
  defaultBranch: 'main',
  refs: new Map([
    ['refs/heads/main', commit('d')],
    ['refs/tags/v1', commit('b')],
    ['refs/pull/7/head', commit('e')],
  ]),
};

function outside(pull: PullRequest | undefined) {
  const mirror = {
    fetch: async () => {},
    mergeBase: async (a: CommitSha) => (a === commit('c') ? commit('c') : commit('0')),
  } as unknown as Mirror;
  return {
    servers: { advertisement: async () => advertised, commit: async () => undefined },
    mirrors: { mirror: async () => mirror, exportAgain: async () => false },
    forges: new Map([['github.com', { pullRequest: async () => pull }]]),
  };
}

const fromAda = { base: 'main', from: 'Ada/pipeline', commits: [commit('e'), commit('f')] };

test.for([
  ['a branch is of its repository', 'ada/pipeline#shiny', 'e', undefined, 'github.com/ada'],
  ['so is the default branch', 'ada/pipeline', 'e', undefined, 'github.com/ada'],
  ['a tag too', 'tektoncd/pipeline#refs/tags/v1', 'b', undefined, 'github.com/tektoncd'],
  ['a group of groups is an owner', 'gitlab.com/a/b/c', 'e', undefined, 'gitlab.com/a/b'],
  ['a pull request is of its fork', 'tektoncd/pipeline#7', 'e', fromAda, 'github.com/ada'],
  ['so is its test merge', 'tektoncd/pipeline#pull/7/merge', 'f', fromAda, 'github.com/ada'],
  ['a pull request that moved: not known', 'tektoncd/pipeline#7', 'a', fromAda, undefined],
  [
    'a pull request whose fork is gone: not known',
    'tektoncd/pipeline#7',
    'e',
    { ...fromAda, from: undefined },
    undefined,
  ],
  ['a forge that knows no such one: not known', 'tektoncd/pipeline#7', 'e', undefined, undefined],
  ['no forge: not known', 'https://git.example.com/a/b/pull/7', 'e', fromAda, undefined],
  [
    'the tip of a branch',
    `tektoncd/pipeline@${commit('d')}`,
    'd',
    undefined,
    'github.com/tektoncd',
  ],
  ['a tagged commit', `tektoncd/pipeline@${commit('b')}`, 'b', undefined, 'github.com/tektoncd'],
  [
    'an old commit of main',
    `tektoncd/pipeline@${commit('c')}`,
    'c',
    undefined,
    'github.com/tektoncd',
  ],
  [
    "a fork's commit under the name of the upstream",
    `tektoncd/pipeline@${commit('e')}`,
    'e',
    fromAda,
    undefined,
  ],
  ['an abbreviation of it', 'tektoncd/pipeline@eeeeeee', 'e', undefined, undefined],
  ['what reads like an abbreviation', 'tektoncd/pipeline#eeeeeee', 'e', undefined, undefined],
  [
    'a ref that anybody may write',
    'tektoncd/pipeline#refs/changes/34/1234/5',
    'e',
    undefined,
    undefined,
  ],
] as const)('%s', async ([, ref, digit, pull, owner]) => {
  const reading = { ref, as: 'head', commit: commit(digit), url: '', why: '' } as const;
  expect(await findOwner(reading, outside(pull))).toBe(owner);
});
