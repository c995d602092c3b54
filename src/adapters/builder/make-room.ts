import { glob, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Configuration } from '../../config/config.ts';
import { briefPatience, createPersist } from '../persist.ts';
import { privilege } from '../processes/sandbox.ts';
import { openShelf } from '../storage/shelf.ts';
import { openBaseStore } from './base-store.ts';
import type { BuilderConfiguration } from './buildah.ts';

const gibibyte = 2 ** 30;

/**
 * Keeps what can be had again (base images, git mirrors, histories, seeds of compile caches) within the limits of the configuration, in a state
 * folder that other processes use meanwhile.
 */
export async function makeRoom(
  state: string,
  configuration: BuilderConfiguration & Pick<Configuration, 'limits'>,
): Promise<void> {
  const { limits } = configuration;
  const folder = join(state, 'storage', 'bases');
  const persist = createPersist(briefPatience);
  const bases = await openBaseStore(folder, configuration, privilege(), persist);
  await bases.evict(limits['bases-gib'] * gibibyte);
  await openShelf(join(state, 'mirrors')).evict(limits['mirrors-gib'] * gibibyte);
  await openShelf(join(state, 'histories')).evict(limits['histories-gib'] * gibibyte, (name) =>
    isServed(state, name),
  );
  await openShelf(join(state, 'seeds')).evict(limits['seeds-gib'] * gibibyte);
}

/** Whether what a build exported needs a history: it is served as long as the build is kept. */
async function isServed(state: string, history: string): Promise<boolean> {
  for await (const file of glob('*/**/objects/info/alternates', { cwd: join(state, 'git') })) {
    const objects = await readFile(join(state, 'git', file), 'utf8').catch(() => '');
    if (basename(dirname(objects.trim())) === history) return true;
  }
  return false;
}
