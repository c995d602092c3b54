import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from './command.ts';
import { lockFile } from './file-lock.ts';
import { privilege as ownPrivilege, type Privilege } from './sandbox.ts';

/** The folders of one container build; gone when it is disposed of. */
export interface ScratchStorage extends AsyncDisposable {
  readonly folder: string;
  /** Name of its control group, where we may make one. */
  readonly cgroup: string;
}

/**
 * Makes storage for one build in `<storage>/builds/`. A lock tells that the build lives; {@link sweepStorage}
 * removes what a killed build left.
 */
export async function makeScratchStorage(
  storage: string,
  privilege: Privilege,
): Promise<ScratchStorage> {
  const builds = join(storage, 'builds');
  await mkdir(builds, { recursive: true, mode: 0o700 });
  const id = randomBytes(8).toString('hex');
  const folder = join(builds, id);
  const lock = await lockFile(`${folder}.lock`, { wait: true });
  await mkdir(folder, { mode: 0o700 });
  return {
    folder,
    cgroup: cgroupName(id),
    [Symbol.asyncDispose]: async () => {
      await removeBuild(folder, id, privilege);
      await lock?.release();
    },
  };
}

/** Removes what killed builds left behind under a state folder; builds that run are left alone. */
export async function sweepStorage(state: string): Promise<void> {
  const builds = join(state, 'storage', 'builds');
  const names = await readdir(builds).catch(() => []);
  for (const name of names.filter((name) => name.endsWith('.lock'))) {
    const id = name.slice(0, -'.lock'.length);
    const lock = await lockFile(join(builds, name), { wait: false });
    if (lock === undefined) continue;
    await removeBuild(join(builds, id), id, ownPrivilege());
    await lock.release();
  }
}

async function removeBuild(folder: string, id: string, privilege: Privilege): Promise<void> {
  if (privilege === 'user') {
    // Files of an image belong to other ids of our range: only root of the namespace may remove them.
    const args = ['--user', '--map-root-user', '--map-auto', 'rm', '-rf', folder];
    await run('unshare', args, { cwd: '/' });
  }
  await rm(folder, { recursive: true, force: true });
  if (privilege === 'root') await removeCgroups(cgroupName(id));
  await rm(`${folder}.lock`, { force: true });
}

function cgroupName(id: string): string {
  return `tributary-${id}`;
}

/** Control groups are folders that outlive their processes where runc was killed. */
async function removeCgroups(name: string): Promise<void> {
  const own = (await readFile('/proc/self/cgroup', 'utf8')).trim().split('\n');
  const paths = new Set(own.map((line) => line.split(':').slice(2).join(':')).concat('/'));
  const hierarchies = await readdir('/sys/fs/cgroup').catch(() => []);
  for (const hierarchy of ['', ...hierarchies])
    for (const path of paths) await removeCgroup(join('/sys/fs/cgroup', hierarchy, path, name));
}

async function removeCgroup(path: string): Promise<void> {
  const inner = await readdir(path, { withFileTypes: true }).catch(() => undefined);
  if (inner === undefined) return;
  for (const entry of inner) if (entry.isDirectory()) await removeCgroup(join(path, entry.name));
  // Its processes were killed a moment ago; the group is busy until the kernel has buried them.
  for (let attempt = 0; attempt < 40; attempt++) {
    const error = await rmdir(path).then(
      () => undefined,
      (thrown: NodeJS.ErrnoException) => thrown,
    );
    if (error?.code !== 'EBUSY') return;
    await sleep(50);
  }
}
