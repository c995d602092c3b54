import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** What an image tells a container runtime. */
export interface ImageConfig {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly Labels?: Readonly<Record<string, string>>;
}

/** Makes `root` the root file system of an image, white-outs followed as a container runtime does; returns its config. */
export function unpackImage(reference: string, root: string): ImageConfig {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-unpack-'));
  try {
    const from = ['--src-tls-verify=false', `docker://${reference}`];
    execFileSync('skopeo', ['copy', '-q', '--insecure-policy', ...from, `dir:${folder}`]);
    const blob = (digest: string) => join(folder, digest.replace('sha256:', ''));
    const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as {
      config: { digest: string };
      layers: { digest: string }[];
    };
    mkdirSync(root, { recursive: true });
    for (const { digest } of manifest.layers) unpackLayer(blob(digest), root);
    const config = JSON.parse(readFileSync(blob(manifest.config.digest), 'utf8'));
    return config.config as ImageConfig;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** White-outs hide what lower layers have, so they come first. */
function unpackLayer(archive: string, root: string): void {
  const paths = execFileSync('tar', ['-tf', archive], { maxBuffer: 64 * 1024 * 1024 })
    .toString()
    .split('\n');
  for (const path of paths.filter((one) => basename(one).startsWith('.wh.'))) {
    const folder = join(root, dirname(path));
    const hidden = path.endsWith('/.wh..wh..opq')
      ? folder
      : join(folder, basename(path).slice('.wh.'.length));
    rmSync(hidden, { recursive: true, force: true });
  }
  execFileSync('tar', ['-xf', archive, '-C', root, '--no-same-owner', '--exclude=.wh.*']);
}
