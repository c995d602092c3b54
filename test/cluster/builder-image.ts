import { createHash } from 'node:crypto';
import { globSync, mkdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../src/adapters/processes/command.ts';
import { nodeBase, pushNodeBase } from './node-base.ts';
import { hasImage } from './oci-image.ts';
import { cache, registries } from './places.ts';

const checkout = join(import.meta.dirname, '../..');
const authorities = '/etc/ssl/certs/ca-certificates.crt';

/** The name of the image of this clone's sources, deploy/Containerfile's: other sources have another name. */
export function builderImage(registry: string = registries.plain): string {
  const hash = createHash('sha256').update(nodeBase());
  hash.update(readlinkSync(join(checkout, '.tools/programs/kustomize')));
  const files = ['deploy/Containerfile', '.containerignore', 'package.json', 'package-lock.json'];
  const sources = globSync('src/**/*.{ts,sh}', { cwd: checkout }).filter(
    (file) => !/\.(test|contract|fixture)\.ts$/.test(file),
  );
  for (const file of [...files, ...sources.sort()])
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(checkout, file)))
      .update('\0');
  return `${registry}/tributary:${hash.digest('hex').slice(0, 16)}`;
}

/** Builds it with buildah and pushes it, where the registry lacks it. */
export async function pushBuilderImage(authfile: string): Promise<void> {
  const name = builderImage();
  if (await hasImage(name)) return;
  await pushNodeBase(authfile);
  // Layers stay, so that a change of the sources costs seconds.
  const storage = join(cache, 'storage');
  mkdirSync(storage, { recursive: true });
  const store = ['--root', join(storage, 'root'), '--runroot', join(storage, 'run')];
  const buildah = async (...args: string[]) => {
    const options = {
      cwd: checkout,
      inherit: Object.keys(process.env),
      env: { REGISTRY_AUTH_FILE: authfile },
    };
    const { exitCode, stdout, stderr } = await run('buildah', [...store, ...args], options);
    if (exitCode !== 0) throw new Error(`buildah ${args[0]}: ${stdout}${stderr}`);
  };
  const plain = '--tls-verify=false';
  const build = [
    'bud',
    '--isolation',
    'chroot',
    '--layers',
    plain,
    '--file',
    'deploy/Containerfile',
  ];
  const base = ['--build-arg', `BASE=${nodeBase()}`];
  const trust = [
    '--volume',
    `${authorities}:${authorities}:ro`,
    '--build-arg',
    `NODE_EXTRA_CA_CERTS=${authorities}`,
  ];
  await buildah(...build, ...base, ...trust, '--tag', name, '.');
  await buildah('push', plain, name);
}
