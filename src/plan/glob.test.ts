import { expect, test } from 'vitest';
import { matchesGlob } from './glob.ts';

test.for([
  ['tekton-pipeline/00-prereconcile/**', 'tekton-pipeline/00-prereconcile/a/b.yaml', true],
  ['tekton-pipeline/00-prereconcile/**', 'tekton-pipeline/00-prereconcile/.hidden', true],
  ['tekton-pipeline/00-prereconcile/**', 'tekton-pipeline/00-prereconcile', false],
  ['a/0[123]-*.yaml', 'a/02-x.yaml', true],
  ['a/0[123]-*.yaml', 'a/04-x.yaml', false],
  ['a/[!0]*', 'a/x', true],
  ['a/[!0]*', 'a/0x', false],
  ['**/x', 'x', true],
  ['**/x', 'a/b/x', true],
  ['**/x', 'a/bx', false],
  ['*.yaml', 'a.yaml', true],
  ['*.yaml', 'a/b.yaml', false],
  ['a?c', 'abc', true],
  ['a?c', 'a/c', false],
  ['registry/{rhel9,ubi9}/*', 'registry/ubi9/go', true],
  ['registry/{rhel9,ubi9}/*', 'registry/ubi8/go', false],
  ['a.b+(c)', 'a.b+(c)', true],
  ['a.b', 'axb', false],
  ['[', '[', true],
  ['{a,{b,c}}', 'b', true],
] as const)('glob %s and path %s: %s', ([glob, path, matches]) => {
  expect(matchesGlob(path, glob)).toBe(matches);
});

test('ends soon on a glob that was made to explode', () => {
  expect(matchesGlob('x', '{a,b}'.repeat(50))).toBe(false);
});
