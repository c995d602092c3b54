import { expect, inject, test } from 'vitest';
import { askBySchema } from '../support/schemathesis.ts';

test('whatever its description allows, and much that it does not, is answered as described', async () => {
  const { exitCode, report } = await askBySchema(inject('demo'), 8);
  expect(exitCode, report).toBe(0);
  expect(report).toMatch(/\d{3,} generated, \d+ passed/);
});
