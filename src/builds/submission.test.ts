import { expect, test } from 'vitest';
import { demoBuild } from '../../test/support/demo-build.ts';
import type { Digest } from '../plan/names.ts';
import type { Build, BuildState } from './build.ts';
import type { Reason } from './failure.ts';
import { decideSubmission, type SubmissionDecision } from './submission.ts';

const asked = demoBuild();
const existing = (state: BuildState, reason?: Reason) => ({
  lockDigest: asked.lockDigest,
  build: {
    tag: asked.tag,
    state,
    failure: reason
      ? ({ reason, detail: '', hint: '', owner: '', step: null } satisfies Build['failure'])
      : null,
  },
});

test('a tag and a run that nobody has are created', () => {
  expect(decideSubmission(asked, undefined, undefined)).toBe('create');
});

test('a tag of another lock, and a run of another tag, are taken', () => {
  const other = { ...existing('succeeded'), lockDigest: `sha256:${'1'.repeat(64)}` as Digest };
  expect(decideSubmission(asked, other, other)).toBe('taken');
  expect(decideSubmission(asked, undefined, other)).toBe('taken');
});

test.for<
  [
    state: BuildState,
    reason: Reason | undefined,
    decision: SubmissionDecision,
    rebuild: SubmissionDecision,
  ]
>([
  ['queued', undefined, 'known', 'known'],
  ['running', undefined, 'known', 'known'],
  ['succeeded', undefined, 'known', 'restart'],
  ['cancelled', undefined, 'restart', 'restart'],
  ['expired', undefined, 'restart', 'restart'],
  ['failed', 'image-build-failed', 'known', 'restart'],
  ['failed', 'merge-conflict', 'known', 'restart'],
  ['failed', 'patch-conflict', 'known', 'restart'],
  ['failed', 'internal-error', 'known', 'restart'],
  ['failed', 'registry-unavailable', 'restart', 'restart'],
  ['failed', 'git-unavailable', 'restart', 'restart'],
  ['failed', 'step-crashed', 'restart', 'restart'],
  ['failed', 'step-timeout', 'restart', 'restart'],
])('asked again when it is %s (%s): %s; with rebuild: %s', ([state, reason, decision, rebuild]) => {
  const same = existing(state, reason);
  expect(decideSubmission(asked, same, same)).toBe(decision);
  expect(decideSubmission({ ...asked, rebuild: true }, same, same)).toBe(rebuild);
});
