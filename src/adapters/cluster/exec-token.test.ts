import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { execToken } from './exec-token.ts';

test('a program is asked again when its token comes to its end, and not before', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-exec-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const command = join(folder, 'authenticator');
  const script = [
    '#!/bin/sh',
    `echo asked >> ${folder}/asked`,
    `echo '{"status": {"token": "t", "expirationTimestamp": "2026-11-26T10:10:00Z"}}'`,
  ];
  await writeFile(command, script.join('\n'), { mode: 0o755 });
  let time = Date.parse('2026-11-26T10:00:00Z');
  const apiVersion = 'client.authentication.k8s.io/v1';
  const token = execToken({ command, apiVersion, args: [], env: [] }, () => time);
  const asked = async () => (await readFile(join(folder, 'asked'), 'utf8')).split('\n').length - 1;
  for (; time < Date.parse('2026-11-26T10:09:00Z'); time += 120_000) await token();
  expect(await asked()).toBe(1);
  time = Date.parse('2026-11-26T10:09:00Z');
  expect(await token()).toBe('t');
  expect(await asked()).toBe(2);
});
