import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../processes/command.ts';
import {
  type ControlGroups,
  type GroupLimits,
  makeControlGroups,
  noGroups,
  removeControlGroups,
} from '../processes/control-groups.ts';
import {
  contained,
  privilege as ownPrivilege,
  ownsByNamespace,
  type Privilege,
} from '../processes/sandbox.ts';
import { lockFile } from '../storage/file-lock.ts';

/** The folders and control groups of one container build; gone when it is disposed of. */
export interface ScratchStorage extends AsyncDisposable {
  readonly folder: string;
  readonly groups: ControlGroups;
  /** Name of the control groups that the container runtime may make. */
  readonly groupName: string;
}

/**
 * Makes storage for one build in `<storage>/builds/`. A lock tells that the build lives; {@link sweepStorage}
 * removes what a killed build left. Without `limits` it is for files alone: no process runs in it.
 */
export async function makeScratchStorage(
  storage: string,
  privilege: Privilege,
  limits?: GroupLimits,
): Promise<ScratchStorage> {
  const builds = join(storage, 'builds');
  await mkdir(builds, { recursive: true, mode: 0o700 });
  const id = randomBytes(8).toString('hex');
  const folder = join(builds, id);
  const lock = await lockFile(`${folder}.lock`, { wait: true });
  await mkdir(folder, { mode: 0o700 });
  const groups = limits ? await makeControlGroups(groupName(id), limits) : noGroups;
  // Another process may have to remove them, from a group of its own.
  await writeFile(groupsFile(folder), JSON.stringify(groups.folders));
  return {
    ...{ folder, groups, groupName: groupName(id) },
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
  if (ownsByNamespace(privilege)) {
    // Files of an image belong to other ids of our range: only root of the namespace may remove them.
    const line = contained(privilege, ['rm', '-rf', '--', folder], { network: false });
    await run(line.program, line.args, { cwd: '/', env: line.env });
  }
  await rm(folder, { recursive: true, force: true });
  await removeControlGroups(groupName(id), await readGroups(folder));
  await rm(groupsFile(folder), { force: true });
  await rm(`${folder}.lock`, { force: true });
}

function groupName(id: string): string {
  return `tributary-${id}`;
}

function groupsFile(folder: string): string {
  return `${folder}.groups`;
}

async function readGroups(folder: string): Promise<readonly string[]> {
  try {
    return JSON.parse(await readFile(groupsFile(folder), 'utf8')) as string[];
  } catch {
    // Killed before or while it was written.
    return [];
  }
}
