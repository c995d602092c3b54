import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DemoWorld } from './demo-world.ts';

/** Files of the productization repository that are changed; `null` removes a file, or a folder with all in it. */
export type FileChanges = Readonly<Record<string, ((text: string) => string) | null>>;

/** Makes a productization repository like the demo's, with changes on `main`, behind the same git server; gives its URL. */
export function changedRepository({ repositories }: DemoWorld, changes: FileChanges): string {
  const name = `openshift-pipelines/changed-${randomBytes(4).toString('hex')}`;
  const whole = join(repositories, 'openshift-pipelines/productization.git');
  const bare = join(repositories, `${name}.git`);
  const work = mkdtempSync(join(tmpdir(), 'tributary-changed-'));
  const git = (...args: string[]) =>
    execFileSync('git', [
      '-c',
      'user.name=T',
      '-c',
      'user.email=t@example.com',
      '-C',
      work,
      ...args,
    ]);
  try {
    git('clone', '--quiet', '--branch', 'main', whole, '.');
    for (const [path, change] of Object.entries(changes)) {
      if (change === null) rmSync(join(work, path), { recursive: true });
      else writeFileSync(join(work, path), change(readFileSync(join(work, path), 'utf8')));
    }
    git('commit', '--quiet', '--all', '--message', 'Change');
    git('clone', '--quiet', '--bare', whole, bare);
    git('push', '--quiet', bare, 'main');
    execFileSync('cp', [join(whole, 'config'), join(bare, 'config')]);
  } finally {
    rmSync(work, { recursive: true });
  }
  return `https://github.com/${name}`;
}
