import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const root = '/sys/fs/cgroup';

/** The control group that all pods lie in, as kubelet is told. */
export const podGroup = '/tributary-cluster';

/** Makes it in every hierarchy: kubelet wants to find it. */
export function makeControlGroup(): void {
  // In version 2 a group has what the one above passes on.
  if (isUnified()) {
    const all = readFileSync(join(root, 'cgroup.controllers'), 'utf8').trim().split(/\s+/);
    writeFileSync(join(root, 'cgroup.subtree_control'), all.map((one) => `+${one}`).join(' '));
  }
  for (const hierarchy of hierarchies()) mkdirSync(join(hierarchy, podGroup), { recursive: true });
}

/** Removes it with the empty groups below; the processes in them have to be gone. */
export function removeControlGroup(): void {
  for (const hierarchy of hierarchies()) removeGroup(join(hierarchy, podGroup));
}

/** One for each controller (version 1), or one for all (version 2). */
function hierarchies(): string[] {
  if (isUnified()) return [root];
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(root, name));
}

function isUnified(): boolean {
  return existsSync(join(root, 'cgroup.controllers'));
}

function removeGroup(group: string): void {
  if (!existsSync(group)) return;
  for (const entry of readdirSync(group, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroup(join(group, entry.name));
  rmdirSync(group);
}
