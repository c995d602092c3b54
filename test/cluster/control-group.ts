import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

const root = '/sys/fs/cgroup';

/** The control group that all pods lie in, as kubelet is told. */
export const podGroup = '/tributary-cluster';

/** Makes it in every hierarchy: kubelet wants to find it. */
export function makeControlGroup(): void {
  for (const hierarchy of hierarchies()) mkdirSync(join(hierarchy, podGroup), { recursive: true });
}

/** Removes it with the empty groups below; the processes in them have to be gone. */
export function removeControlGroup(): void {
  for (const hierarchy of hierarchies()) removeGroup(join(hierarchy, podGroup));
}

/** One for each controller (version 1), or one for all (version 2). */
function hierarchies(): string[] {
  if (existsSync(join(root, 'cgroup.controllers'))) return [root];
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(root, name));
}

function removeGroup(group: string): void {
  if (!existsSync(group)) return;
  for (const entry of readdirSync(group, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroup(join(group, entry.name));
  rmdirSync(group);
}
