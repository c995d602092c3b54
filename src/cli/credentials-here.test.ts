import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { LoadedConfiguration } from '../config/load-config.ts';
import { withCredentialsHere } from './credentials-here.ts';

test.for([
  ['both secrets', ['push', 'pull'], 'push', 'pull'],
  ['no push secret', ['pull'], 'pull', 'pull'],
  ['no secret at all', [], undefined, undefined],
] as const)('with %s, no file is named that is not there', ([, files, authfile, pull]) => {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-credentials-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const file of files) writeFileSync(join(folder, file), '{}');
  const at = (file: string) => join(folder, file);
  const { remotes } = withCredentialsHere({
    remotes: { a: { push: 'r/a', authfile: at('push'), 'pull-secret': at('pull') } },
  } as unknown as LoadedConfiguration);
  expect(remotes['a']).toEqual({
    push: 'r/a',
    ...(authfile && { authfile: at(authfile) }),
    ...(pull && { 'pull-secret': at(pull) }),
  });
});

test('a push secret that is mounted elsewhere is named where it is', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-credentials-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'auth.json'), '{}');
  const configuration = {
    remotes: { a: { push: 'r/a', authfile: '/etc/tributary-push/auth.json' } },
  } as unknown as LoadedConfiguration;
  expect(withCredentialsHere(configuration, folder).remotes['a']?.authfile).toBe(
    join(folder, 'auth.json'),
  );
  expect(withCredentialsHere(configuration).remotes['a']?.authfile).toBeUndefined();
});
