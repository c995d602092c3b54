import { describe, expect, test } from 'vitest';
import { memoryApprovals } from '../../test/support/memory-approvals.ts';
import type { RefReading } from '../builds/build.ts';
import type { CommitSha } from '../plan/names.ts';
import { type Approval, parseApprovable, splitApprovable } from './approvals.ts';
import { demandTrust, ownerName, type Trust, type TrustParts } from './trust.ts';

const commit = (digit: string) => digit.repeat(40) as CommitSha;
const approval = (digit: string): Approval => ({
  ...{ commit: commit(digit), ref: 'x/y#1', by: 'eve', at: '2026-11-23T10:00:00Z' },
});
const reading = (ref: string, digit: string): RefReading => ({
  ...{ ref, as: 'merge', commit: commit(digit), url: 'https://github.com/tektoncd/pipeline' },
  why: '',
});
const read = {
  'tektoncd/pipeline': reading('tektoncd/pipeline#4638', 'a'),
  product: reading('openshift-pipelines/productization#12', 'b'),
};

function parts(
  demand: Trust,
  owners: Readonly<Record<string, string | undefined>> = {},
  approved: readonly string[] = [],
): TrustParts {
  return {
    demand,
    owners: new Set(['github.com/tektoncd', 'github.com/openshift-pipelines'] as const),
    approvals: memoryApprovals(...approved.map(approval)),
    ownerOf: async ({ ref }) => owners[ref],
  };
}

const known = {
  'tektoncd/pipeline#4638': 'github.com/tektoncd',
  'openshift-pipelines/productization#12': 'github.com/openshift-pipelines',
};

describe('a build has the least trust of its refs', () => {
  test.for([
    ['all approved', {}, ['a', 'b'], 'approved'],
    ['one approved, one of an owner who is listed', known, ['a'], 'allowed'],
    ['all of owners who are listed', known, [], 'allowed'],
  ] as const)('%s', async ([, owners, approved, trust]) => {
    expect(await demandTrust(read, parts('allowed', owners, approved))).toEqual({
      ok: true,
      value: trust,
    });
  });

  test('the product as it is has no ref that anybody has to vouch for', async () => {
    expect(await demandTrust({}, parts('approved'))).toEqual({ ok: true, value: 'approved' });
  });

  test('where nothing is demanded, nobody is asked', async () => {
    const asked = { ...parts('none'), ownerOf: () => Promise.reject(new Error('asked')) };
    expect(await demandTrust(read, asked)).toEqual({ ok: true, value: 'none' });
  });
});

describe('what is not trusted enough is refused', () => {
  async function refused(given: TrustParts, of: Readonly<Record<string, RefReading>> = read) {
    const outcome = await demandTrust(of, given);
    return outcome.ok ? [] : outcome.failures;
  }

  test('with the command that approves exactly that commit, for each ref', async () => {
    const owners = { ...known, 'tektoncd/pipeline#4638': 'github.com/ada' };
    expect(await refused(parts('allowed', owners, []))).toEqual([
      {
        reason: 'not-approved',
        detail: `tektoncd/pipeline: nobody has approved the commit ${commit('a')} of tektoncd/pipeline#4638, and github.com/ada is not among the owners whose code is built without.`,
        hint: `Let somebody who may approve look at exactly this commit, and type: tributary approve tektoncd/pipeline#4638@${commit('a')}`,
        pointer: '/components/tektoncd~1pipeline',
        about: { component: 'tektoncd/pipeline', commit: commit('a') },
      },
    ]);
    expect(await refused(parts('allowed'))).toMatchObject([
      { detail: expect.stringContaining('which repository it comes from is not known') },
      { pointer: '/product' },
    ]);
  });

  test('an approval of another commit is none', async () => {
    expect(await refused(parts('allowed', {}, ['b', 'c']))).toHaveLength(1);
  });

  test('where approval is demanded, the owner does not count', async () => {
    expect(await refused(parts('approved', known, ['a']))).toMatchObject([{ pointer: '/product' }]);
  });

  test.for([
    ['https://github.com/ada/pipeline/tree/x$(id)', `'ada/pipeline#x$(id)@${commit('a')}'`],
    ["ada/pipeline#it's;id", `'ada/pipeline#it'\\''s;id@${commit('a')}'`],
    [`ada/pipeline@${commit('a')}`, `ada/pipeline@${commit('a')}`],
    ['https://git.example.com/a/b.git#main', `https://git.example.com/a/b.git#main@${commit('a')}`],
  ])('the command for %s does nothing else in a shell', async ([ref, argument]) => {
    const [failure] = await refused(parts('allowed'), { x: reading(ref ?? '', 'a') });
    expect(failure?.hint).toContain(`tributary approve ${argument}`);
    expect(failure?.hint.endsWith(`tributary approve ${argument}`)).toBe(true);
  });
});

test.for([
  ['tektoncd', 'github.com/tektoncd'],
  ['TektonCD', 'github.com/tektoncd'],
  ['github.com/Tektoncd', 'github.com/tektoncd'],
  ['gitlab.com/group/below', 'gitlab.com/group/below'],
  ['Git.Example.com/Team', 'git.example.com/Team'],
  ['127.0.0.1:8081/me', '127.0.0.1:8081/me'],
])('the owner %s is %s', ([text = '', name]) => {
  expect(ownerName(text)).toBe(name);
});

describe('REF@SHA', () => {
  const sha = commit('a');
  test.for([
    [`tektoncd/pipeline#4638@${sha}`, 'tektoncd/pipeline#4638'],
    [
      `https://github.com/tektoncd/pipeline/pull/4638@${sha.toUpperCase()}`,
      'tektoncd/pipeline#4638',
    ],
    [`tektoncd/pipeline@${sha}`, 'tektoncd/pipeline'],
    [`git@github.com:ada/pipeline.git#x@${sha}`, 'ada/pipeline#x'],
  ])('%s is a commit of %s', ([text = '', ref]) => {
    const split = splitApprovable(text);
    expect(parseApprovable(split.ref, split.commit)).toEqual({
      ok: true,
      value: { ref, commit: sha },
    });
  });

  test.for([
    ['tektoncd/pipeline#4638', 'No commit is named', '/commit'],
    ['tektoncd/pipeline#4638@0c07604', 'no whole commit', '/commit'],
    [`@${sha}`, 'is no ref', '/ref'],
  ])('%s is none: %s', ([text = '', detail, pointer]) => {
    const split = splitApprovable(text);
    expect(parseApprovable(split.ref, split.commit)).toMatchObject({
      ok: false,
      failures: [{ detail: expect.stringContaining(detail ?? ''), pointer }],
    });
  });
});
