import { parseTag, type Tag } from '../../plan/names.ts';
import type { ReachConfiguration } from './reach.ts';
import { RegistryTrouble, registryFailure } from './registry-trouble.ts';
import { createSkopeo, type SkopeoOptions } from './skopeo.ts';

const suffix = '-record';

/** Where the record of a build is. */
export interface RecordPlace {
  readonly tag: Tag;
  readonly reference: string;
}

/**
 * The records that a repository (`REMOTE/tributary`) holds; none where there is no such repository. Throws FailureError
 * `registry-unavailable`.
 */
export async function listRecords(
  repository: string,
  configuration: ReachConfiguration,
  options: SkopeoOptions,
): Promise<RecordPlace[]> {
  const skopeo = await createSkopeo(configuration, options);
  try {
    const names = await skopeo.tags(repository);
    return names.flatMap((name) => {
      const tag = name.endsWith(suffix) ? parseTag(name.slice(0, -suffix.length)) : undefined;
      return tag === undefined ? [] : [{ tag, reference: `${repository}:${name}` }];
    });
  } catch (error) {
    if (!(error instanceof RegistryTrouble)) throw error;
    if (error.trouble === 'not-found') return [];
    throw registryFailure(repository, error);
  }
}
