import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inspectTools } from './tools.ts';

test('what building needs is there, with its version', async () => {
  const state = join(tmpdir(), 'not/made/yet');
  const tools = { runtime: 'runc', kustomize: '/no/such/kustomize' };
  const checks = await inspectTools({ tools }, state);
  const of = (name: string) => checks.find((check) => check.name === name);
  for (const name of ['git', 'buildah', 'skopeo', 'runc', 'unshare', 'ip', 'sandbox', 'disk'])
    expect(of(name)).toMatchObject({ ok: true, hint: '' });
  expect(of('buildah')?.found).toMatch(/^\d+\.\d+/);
  expect(of('/no/such/kustomize')).toMatchObject({
    ok: false,
    found: 'missing',
    hint: expect.stringContaining('tools: {kustomize'),
  });
});
