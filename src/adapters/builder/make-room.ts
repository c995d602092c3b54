import { join } from 'node:path';
import type { Configuration } from '../../config/config.ts';
import { briefPatience, createPersist } from '../persist.ts';
import { privilege } from '../processes/sandbox.ts';
import { openShelf } from '../storage/shelf.ts';
import { openBaseStore } from './base-store.ts';
import type { BuilderConfiguration } from './buildah.ts';

const gibibyte = 2 ** 30;

/**
 * Keeps what can be had again (base images, git mirrors, seeds of compile caches) within the limits of the configuration, in a state
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
  await openShelf(join(state, 'seeds')).evict(limits['seeds-gib'] * gibibyte);
}
