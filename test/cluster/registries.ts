import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Node } from './node.ts';
import { addresses, cache, placesOf, registries, tokenServer } from './places.ts';
import { startOnNode, until } from './programs.ts';

const storage = join(cache, 'registry');

/** Starts two registries over one storage: everybody may read, only who has the push secret may write. */
export async function startRegistries(node: Node): Promise<void> {
  const { run, pki, pushSecret } = placesOf(node.folder);
  mkdirSync(storage, { recursive: true });
  makePushSecret(pushSecret);
  startOnNode(node, {
    name: 'token-server',
    command: process.execPath,
    args: [
      '--optimize-for-size',
      join(import.meta.dirname, 'token-server.ts'),
      ...[tokenServer, pki, join(pushSecret, 'config.json')],
    ],
  });
  const certificate = { certificate: join(pki, 'registry.crt'), key: join(pki, 'registry.key') };
  for (const [name, address] of Object.entries(registries)) {
    const file = join(run, `registry-${name}.json`);
    const tls = name === 'tls' ? { tls: certificate } : {};
    writeFileSync(file, JSON.stringify(configuration(pki, { addr: address, ...tls })));
    const args = ['serve', file];
    startOnNode(node, { name: `registry-${name}`, command: 'docker-registry', args });
    // Any answer will do; fetch does not know our authority, so the one with TLS is taken to be there with the other.
    if (name === 'plain')
      await until(node, `registry-${name}`, () => answers(`http://${address}/v2/`));
  }
  await until(node, 'token-server', () => answers(`${tokenServer}?service=x`));
}

/** What may write: a file as docker, skopeo, buildah and Kubernetes read it. */
function makePushSecret(folder: string): void {
  const file = join(folder, 'config.json');
  if (existsSync(file)) return;
  const auth = Buffer.from(`tributary:${randomBytes(18).toString('base64url')}`).toString('base64');
  const auths = Object.fromEntries(Object.values(registries).map((name) => [name, { auth }]));
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(file, JSON.stringify({ auths }), { mode: 0o600 });
}

/**
 * Removes what tests left in the storage, and images of old keys; no registry may run meanwhile.
 */
export function tidyStorage(folder: string): void {
  const repositories = join(storage, 'docker/registry/v2/repositories');
  if (!existsSync(repositories)) return;
  const kept = ['cluster', 'tributary'];
  const foreign = readdirSync(repositories).filter((name) => !kept.includes(name));
  const tags = globSync('{tributary,cluster/*}/_manifests/tags', { cwd: repositories });
  const old = tags.flatMap((path) => oldest(join(repositories, path)));
  if (foreign.length + old.length === 0) return;
  for (const path of [...foreign.map((name) => join(repositories, name)), ...old])
    rmSync(path, { recursive: true });
  const file = join(folder, 'garbage.json');
  writeFileSync(file, JSON.stringify(configuration('.', {})));
  execFileSync('docker-registry', ['garbage-collect', '--delete-untagged', file], {
    stdio: 'ignore',
  });
}

/** All but the newest three of a folder. */
function oldest(folder: string): string[] {
  const paths = readdirSync(folder).map((name) => join(folder, name));
  return paths.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs).slice(3);
}

function configuration(pki: string, http: object): object {
  return {
    version: '0.1',
    log: { level: 'warn', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: storage }, delete: { enabled: true } },
    auth: {
      token: {
        realm: tokenServer,
        service: addresses.node,
        issuer: 'tributary-test-cluster',
        rootcertbundle: join(pki, 'registry-tokens.crt'),
      },
    },
    http,
  };
}

async function answers(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(1000) }).then(
    () => true,
    () => false,
  );
}
