import { expect, inject, test } from 'vitest';
import { askBySchema } from '../support/schemathesis.ts';

test('whatever its description allows, and much that it does not, is answered as described, also the thousandth time', async () => {
  const { exitCode, report } = await askBySchema(inject('demo'), 300);
  expect(exitCode, report).toBe(0);
  expect(report).toMatch(/\d{3,} generated, \d+ passed/);
});
