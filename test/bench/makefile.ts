import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BenchWorld } from './world.ts';

/** The product's own Makefile in a checkout of its own, with container storage and a Go cache of its own. */
export interface MakefileRig extends Disposable {
  /** Milliseconds of `make bundle/push`; `jobs`: of images at once. */
  push(tag: string, jobs: number): Promise<number>;
  /** Pins a component at another commit. */
  pin(component: string, commit: string): void;
}

/** `cache`: Go keeps what it compiled from one image to the next, and from one run to the next. */
export function makefileRig(world: BenchWorld, { cache }: { cache: boolean }): MakefileRig {
  const folder = mkdtempSync(join(world.folder, 'makefile-'));
  const tree = join(folder, 'productization');
  const storage = join(folder, 'storage.conf');
  writeFileSync(
    storage,
    `[storage]\ndriver = "overlay"\ngraphroot = "${folder}/storage"\nrunroot = "${folder}/run"\n`,
  );
  const environment = {
    ...process.env,
    CONTAINERS_STORAGE_CONF: storage,
    MAKEFLAGS: '',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_SYSTEM: '/dev/null',
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: `url.${world.git}.insteadOf`,
    GIT_CONFIG_VALUE_0: 'https://github.com/',
  };
  const repository = 'https://github.com/openshift-pipelines/productization';
  execFileSync('git', ['clone', '--quiet', repository, tree], { env: environment });
  if (cache) mkdirSync(join(folder, 'go-build'));
  return {
    async push(tag, jobs) {
      const began = performance.now();
      await run(
        'make',
        [
          ...[`--jobs=${jobs}`, 'bundle/push', `TAG=${tag}`, 'TLS_VERIFY=false'],
          ...[`REMOTE=${world.registry}/makefile`, `BASES=${world.registry}`],
          ...(cache ? [`CACHE=${folder}/go-build`] : []),
        ],
        { cwd: tree, env: environment, maxBuffer: 64 * 2 ** 20 },
      );
      return performance.now() - began;
    },
    pin(component, commit) {
      const file = join(tree, 'upstream_sources.yaml');
      const name = component.slice(component.indexOf('/') + 1);
      const text = readFileSync(file, 'utf8');
      const entry = new RegExp(
        `(url: \\S*/${name}(?:\\.git)?['"]?\\n[^-]*commit: ['"])[0-9a-f]{40}`,
      );
      if (!entry.test(text)) throw new Error(`${file} pins no ${component}:\n${text}`);
      writeFileSync(file, text.replace(entry, `$1${commit}`));
    },
    [Symbol.dispose]() {
      execFileSync('buildah', ['rm', '--all'], { env: environment, stdio: 'ignore' });
      execFileSync('sh', [
        '-c',
        'umount "$1/storage/overlay" 2>/dev/null; rm -rf "$1"',
        'sh',
        folder,
      ]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const run = promisify(execFile);

/** The commit of a ref of one of the demo's repositories. */
export function commitOf(world: BenchWorld, component: string, ref: string): string {
  const repository = join(world.repositories, `${component}.git`);
  return execFileSync('git', ['-C', repository, 'rev-parse', ref], { encoding: 'utf8' }).trim();
}
