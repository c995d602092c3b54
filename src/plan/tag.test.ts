import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalText } from './canonical-hash.ts';
import type { Lock } from './lock.ts';
import { type Digest, parseTag, type Tag } from './names.ts';
import { lockDigest, pipelinerunName, tagFor, tagHex } from './tag.ts';

const lock = {
  version: 1,
  name: 'test-my-thing',
  release: 'nightly',
  components: {
    'a/b': { kind: 'base', url: 'https://h/a/b', branch: 'main', commit: '0'.repeat(40) },
  },
  platforms: ['linux/amd64'],
} as unknown as Lock;

test('the digest of a lock does not depend on the order of its keys', () => {
  const turned = Object.fromEntries(Object.entries(lock).reverse()) as unknown as Lock;
  expect(lockDigest(turned)).toBe(lockDigest(lock));
});

test('the digest is the SHA-256 of the canonical JSON', () => {
  const hex = createHash('sha256').update(canonicalText(lock)).digest('hex');
  expect(lockDigest(lock)).toBe(`sha256:${hex}`);
});

test('a tag is the name and the first hex digits of the digest, and grows by two', () => {
  const digest = `sha256:72a32c0f${'1'.repeat(56)}` as Digest;
  expect(tagFor('test-my-thing', digest)).toBe('test-my-thing-72a32c');
  expect(tagFor('test-my-thing', digest, 8)).toBe('test-my-thing-72a32c0f');
  expect(tagHex(tagFor('a-b', digest, 8))).toBe('72a32c0f');
});

test('a tag of any digest and length is a tag', () => {
  const hex = fc.stringMatching(/^[0-9a-f]{64}$/);
  fc.assert(
    fc.property(hex, fc.integer({ min: 3, max: 32 }), (digits, half) => {
      const tag = tagFor('n', `sha256:${digits}` as Digest, 2 * half);
      expect(parseTag(tag)).toBe(tag);
    }),
  );
});

test('the run is named by 7 hex digits of the SHA-256 of its tag', () => {
  const hex = createHash('sha256').update('test-my-thing-72a32c').digest('hex');
  expect(pipelinerunName('test-my-thing-72a32c' as Tag)).toBe(
    `build-operator-bundle-${hex.slice(0, 7)}`,
  );
});
