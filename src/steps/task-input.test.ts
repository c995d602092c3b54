import { expect, test } from 'vitest';
import { failureOf } from '../../test/support/failure-of.ts';
import type { Lock } from '../plan/lock.ts';
import { lockDigest, tagFor } from '../plan/tag.ts';
import { parseTaskInput, taskPhases, taskResults, taskVariables } from './task-input.ts';

const lock = { version: 1, name: 'test-my-thing' } as Lock;
const environment = {
  [taskVariables.config]: '/etc/tributary/config.yaml',
  TRIBUTARY_RUN: '6dd4c2a1-5f2c-4f4f-9d3c-0d8f6f2f9d11',
  TRIBUTARY_TAG: tagFor(lock.name, lockDigest(lock)),
  TRIBUTARY_LOCK: JSON.stringify(lock),
};

test('what a task is told is read, and what is not told has its default', () => {
  expect(parseTaskInput({ ...environment, TRIBUTARY_UNIT: '007' })).toEqual({
    ...{ config: '/etc/tributary/config.yaml', product: undefined, plan: undefined },
    ...{ run: environment.TRIBUTARY_RUN, tag: environment.TRIBUTARY_TAG, lock },
    ...{ unit: '007', rebuild: false, build: undefined, reasons: {} },
    ...{ results: '/tekton/results', pod: '/pod' },
  });
});

test.for([
  ['TRIBUTARY_RUN', undefined],
  ['TRIBUTARY_RUN', 'a/../b'],
  ['TRIBUTARY_TAG', 'test-my-thing-000000'],
  ['TRIBUTARY_LOCK', 'no JSON'],
  ['TRIBUTARY_PLAN', 'registry.example.com/tributary:latest'],
  ['TRIBUTARY_UNIT', '../payload'],
] as const)('%s = %s is refused, by name', async ([variable, value]) => {
  const parse = async () => parseTaskInput({ ...environment, [variable]: value });
  const failure = await failureOf(parse());
  expect(failure).toMatchObject({ reason: 'bad-configuration', about: { variable } });
});

test('who holds a push secret has no capability, and who runs code of a ref has two', () => {
  const { run, fetch, ...others } = taskPhases;
  expect(Object.values(others).flatMap(({ capabilities }) => capabilities)).toEqual([]);
  expect(run.capabilities).toEqual(['SETUID', 'SETGID']);
  expect(fetch.capabilities).toEqual(run.capabilities);
});

test('images are told under the names that Tekton Chains looks for', () => {
  const { imageUrl, imageDigest, imageList } = taskResults;
  expect([imageUrl, imageDigest, imageList]).toEqual(['IMAGE_URL', 'IMAGE_DIGEST', 'IMAGES']);
});
