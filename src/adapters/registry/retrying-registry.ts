import type { Registry } from '../../steps/step.ts';
import type { Persist } from '../persist.ts';
import { hostOf } from './reach.ts';
import { passingTrouble, RegistryTrouble, registryFailure } from './registry-trouble.ts';

/**
 * The same registry, asked again where its trouble may pass; what does not pass is thrown as a failure that says whose it
 * is. `registry` throws {@link RegistryTrouble}.
 */
export function retrying(registry: Registry, persist: Persist): Registry {
  const ask = async <Value>(
    references: readonly [string, ...string[]],
    work: () => Promise<Value>,
  ): Promise<Value> => {
    try {
      return await persist(`registry ${references.map(hostOf)[0]}`, passingTrouble, work);
    } catch (error) {
      if (!(error instanceof RegistryTrouble)) throw error;
      throw registryFailure(concerned(references, error), error);
    }
  };
  return {
    manifest: (reference) => ask([reference], () => registry.manifest(reference)),
    copy: (from, to) => ask([to, from], () => registry.copy(from, to)),
    pushLayout: (folder, to) => ask([to], () => registry.pushLayout(folder, to)),
    pullLayout: (from, folder) => ask([from], () => registry.pullLayout(from, folder)),
    blob: (repository, digest, limit) =>
      ask([repository], () => registry.blob(repository, digest, limit)),
    pullable: (reference) => ask([reference], () => registry.pullable(reference)),
  };
}

/** The reference that the trouble is about: the first one, unless another's host is told of. */
function concerned(
  references: readonly [string, ...string[]],
  { message }: RegistryTrouble,
): string {
  return references.find((reference) => message.includes(hostOf(reference))) ?? references[0];
}
