import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../src/adapters/processes/command.ts';
import { hasImage, layerOf, layerOfFolder, pushImage } from './oci-image.ts';
import { registries } from './places.ts';

const node = join(import.meta.dirname, '../../node_modules/node/bin/node');

/** The name of a base image with Debian, Node 24 and npm, like those that one pulls elsewhere. */
export function nodeBase(): string {
  const hash = createHash('sha256').update(process.version);
  for (const file of ['node-base.ts', 'oci-image.ts'])
    hash.update(readFileSync(join(import.meta.dirname, file)));
  return `${registries.plain}/cluster/node:${hash.digest('hex').slice(0, 16)}`;
}

/** Makes it of Debian packages where the registry lacks it. */
export async function pushNodeBase(authfile: string): Promise<void> {
  if (await hasImage(nodeBase())) return;
  const folder = mkdtempSync(join(tmpdir(), 'tributary-base-'));
  try {
    const layers = [
      await layerOf(await debian(join(folder, 'debian.tar'))),
      await nodeLayer(join(folder, 'node')),
    ];
    const config = {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      Cmd: ['node'],
    };
    await pushImage(nodeBase(), layers, config, authfile);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The machine's own release of Debian, without what no program reads. */
async function debian(archive: string): Promise<Buffer> {
  const release = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const unread = [
    'share/man',
    'share/doc',
    'share/locale',
    'share/info',
    'share/zoneinfo',
    'lib/*/gconv',
  ].map((name) => `--dpkgopt=path-exclude=/usr/${name}/*`);
  const args = ['--quiet', '--variant=minbase', '--include=ca-certificates', ...unread];
  const result = await run('mmdebstrap', [...args, release ?? 'stable', archive], {
    cwd: '/',
    inherit: Object.keys(process.env),
  });
  if (result.exitCode !== 0) throw new Error(`mmdebstrap: ${result.stderr}`);
  return readFileSync(archive);
}

function nodeLayer(root: string) {
  const bin = join(root, 'usr/local/bin');
  mkdirSync(bin, { recursive: true });
  cpSync(node, join(bin, 'node'));
  const npm = npmFolder();
  const unread = [join(npm, 'docs'), join(npm, 'man')];
  cpSync(npm, join(root, 'usr/local/lib/node_modules/npm'), {
    recursive: true,
    filter: (path) => !unread.includes(path),
  });
  for (const [name, file] of [
    ['npm', 'npm-cli.js'],
    ['npx', 'npx-cli.js'],
  ] as const)
    symlinkSync(`../lib/node_modules/npm/bin/${file}`, join(bin, name));
  return layerOfFolder(root);
}

function npmFolder(): string {
  const program = execFileSync('sh', ['-c', 'realpath "$(command -v npm)"'], { encoding: 'utf8' });
  return join(program.trim(), '../..');
}
