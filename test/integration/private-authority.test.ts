import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { makeAuthority, signServer } from '../cluster/certificates.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { serviceRig } from '../support/service.ts';
import { quickProduct } from '../support/small-demo.ts';

let folder: string;
let registry: TestRegistry;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tributary-authority-'));
  makeAuthority(folder);
  signServer(folder, 'registry', 'IP:127.0.0.1');
  registry = await startRegistry({
    tls: { certificate: join(folder, 'registry.crt'), key: join(folder, 'registry.key') },
  });
});
afterAll(async () => {
  await registry?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Builds one image, the bundle and the index into that registry. */
async function build(insecure: boolean, environment: Readonly<Record<string, string>> = {}) {
  const demo = inject('demo');
  const configuration = {
    registries: { [registry.host]: { insecure } },
    remotes: { demo: { push: `${registry.host}/insecure-${insecure}`, default: true } },
  };
  const options = { product: () => quickProduct(demo), environment };
  await using rig = serviceRig(demo, configuration, options);
  return await rig.cli('build', 'tektoncd/operator#1400', '--name', 'private', '--json');
}

test('a registry whose authority nobody knows is refused, with what to do', async () => {
  const { exitCode, stdout, stderr } = await build(false);
  expect(exitCode).toBe(4);
  expect(`${stdout}${stderr}`).toMatch(/certificate.*update-ca-certificates.*SSL_CERT_FILE/s);
}, 60_000);

test('one whose authority the machine knows is pushed to and read by every step', async () => {
  const { exitCode, stdout, stderr } = await build(false, {
    SSL_CERT_FILE: join(folder, 'ca.crt'),
  });
  expect(exitCode, `${stderr}${stdout}`).toBe(0);
}, 240_000);

test('one that may be insecure is, by HTTPS too', async () => {
  const { exitCode, stdout, stderr } = await build(true);
  expect(exitCode, `${stderr}${stdout}`).toBe(0);
}, 240_000);
