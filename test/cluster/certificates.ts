import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addresses } from './places.ts';

/** Makes an authority as `ca.crt` and `ca.key` in a folder; what is there stays. */
export function makeAuthority(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // openssl wants a configuration; the machine's own would add extensions.
  writeFileSync(join(folder, 'openssl.cnf'), '[req]\ndistinguished_name = none\n[none]\n');
  certificate(folder, 'ca', '/CN=tributary-test-cluster', [
    'basicConstraints=critical,CA:TRUE',
    'keyUsage=critical,keyCertSign,digitalSignature',
  ]);
}

/** What the authority of a folder signs for a server of these names, as `NAME.crt` and `NAME.key`. */
export function signServer(folder: string, name: string, names: string): void {
  const extensions = [`subjectAltName=${names}`, 'extendedKeyUsage=serverAuth'];
  signed(folder, name, `/CN=${name}`, extensions);
}

/** Makes the cluster's authority and what it signs. */
export function makeCertificates(folder: string): void {
  makeAuthority(folder);
  const { node, api, host } = addresses;
  const apiNames = 'DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:localhost';
  signServer(folder, 'apiserver', `${apiNames},IP:${node},IP:${api}`);
  signServer(folder, 'registry', `IP:${node}`);
  // What ends TLS on the host before Services, as a router does.
  signServer(folder, 'router', `IP:${host}`);
  const client = ['extendedKeyUsage=clientAuth'];
  signed(folder, 'admin', '/O=system:masters/CN=admin', client);
  signed(folder, 'kubelet-client', '/O=system:masters/CN=kube-apiserver', client);
  // Nobody asks who signed these two: one signs tokens of service accounts, one those of the registries.
  signed(folder, 'service-accounts', '/CN=service-accounts', client);
  signed(folder, 'registry-tokens', '/CN=registry-tokens', client);
}

function signed(folder: string, name: string, subject: string, extensions: readonly string[]) {
  const by = ['-CA', 'ca.crt', '-CAkey', 'ca.key'];
  certificate(folder, name, subject, ['basicConstraints=critical,CA:FALSE', ...extensions], by);
}

function certificate(
  folder: string,
  name: string,
  subject: string,
  extensions: readonly string[],
  by: readonly string[] = [],
): void {
  if (existsSync(join(folder, `${name}.crt`))) return;
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`];
  const added = extensions.flatMap((extension) => ['-addext', extension]);
  const all = ['-config', 'openssl.cnf', '-days', '3650', '-subj', subject, ...key, ...by];
  execFileSync('openssl', ['req', '-x509', ...all, ...added, ...files], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}
