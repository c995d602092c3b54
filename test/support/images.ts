import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The digest that a registry has for a reference, or undefined where it has none: asked by skopeo, not by our code. */
export function digestIn(reference: string): string | undefined {
  try {
    const raw = execFileSync(
      'skopeo',
      ['inspect', '--raw', '--tls-verify=false', `docker://${reference}`],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
        maxBuffer: 16 * 1024 * 1024,
      },
    );
    return `sha256:${execFileSync('sha256sum', { input: raw }).toString().split(' ')[0]}`;
  } catch {
    return undefined;
  }
}

/** What an image says of itself. */
export function labelsOf(reference: string): Readonly<Record<string, string>> {
  const args = ['inspect', '--config', '--tls-verify=false', `docker://${reference}`];
  const { config } = JSON.parse(execFileSync('skopeo', args).toString());
  return config.Labels ?? {};
}

/** The payload that an operator image carries, by path. */
export function kodataOf(reference: string): ReadonlyMap<string, Buffer> {
  const inKodata = (path: string) => path.startsWith('kodata/') && !path.endsWith('/.wh..wh..opq');
  const files = [...filesOf(reference)].filter(([path]) => inKodata(path));
  return new Map(files.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** All files of an image by path, as a container sees them, with skopeo and tar. Of white-outs, only whole folders are heeded. */
export function filesOf(reference: string): Map<string, Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-image-'));
  try {
    execFileSync('skopeo', [
      'copy',
      '-q',
      '--insecure-policy',
      '--src-tls-verify=false',
      `docker://${reference}`,
      `dir:${folder}/image`,
    ]);
    const manifest = JSON.parse(readFileSync(join(folder, 'image/manifest.json'), 'utf8')) as {
      layers: { digest: string }[];
    };
    const files = new Map<string, Buffer>();
    manifest.layers.forEach(({ digest }, index) => {
      const root = join(folder, `layer-${index}`);
      execFileSync('mkdir', [root]);
      execFileSync('tar', [
        '-xf',
        join(folder, 'image', digest.replace('sha256:', '')),
        '-C',
        root,
      ]);
      const hidden = readdirSync(root, { recursive: true, withFileTypes: true })
        .filter(({ name }) => name === '.wh..wh..opq')
        .map(({ parentPath }) => `${parentPath.slice(root.length + 1)}/`);
      for (const path of [...files.keys()]) {
        if (hidden.some((lower) => path.startsWith(lower))) files.delete(path);
      }
      const entries = readdirSync(root, { recursive: true, withFileTypes: true });
      for (const entry of entries.filter((one) => one.isFile())) {
        const path = join(entry.parentPath, entry.name);
        files.set(path.slice(root.length + 1), readFileSync(path));
      }
    });
    return files;
  } finally {
    execFileSync('chmod', ['-R', 'u+w', folder]);
    rmSync(folder, { recursive: true, force: true });
  }
}
