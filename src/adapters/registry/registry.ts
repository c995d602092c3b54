import type { Configuration } from '../../config/config.ts';
import { type Digest, parseDigest } from '../../plan/names.ts';
import type { Registry } from '../../steps/step.ts';
import { briefPatience, createPersist, type Persist } from '../persist.ts';
import { fetchBlob } from './blob.ts';
import { pullLayout } from './pull-layout.ts';
import { describeManifest, type PlainRegistry, quick } from './quick-registry.ts';
import {
  authfileFor,
  isInsecure,
  mirrored,
  pullSecretFor,
  type ReachConfiguration,
} from './reach.ts';
import { RegistryTrouble } from './registry-trouble.ts';
import { retrying } from './retrying-registry.ts';
import { checked, createSkopeo, type Skopeo, type SkopeoOptions } from './skopeo.ts';

export interface RegistryOptions extends SkopeoOptions {
  /** How trouble is waited out; default: briefly. */
  readonly persist?: Persist;
}

/** The {@link Registry} by HTTP and, where that does not do, over skopeo, reaching registries as the configuration says. */
export async function createRegistry(
  configuration: ReachConfiguration & Pick<Configuration, 'limits'>,
  given: RegistryOptions,
): Promise<Registry> {
  const { idle = configuration.limits['silence-seconds'] * 1000, signal } = given;
  const options = { ...given, idle };
  const skopeo = await createSkopeo(configuration, options);
  const persist = options.persist ?? createPersist(briefPatience, options);
  const { noCredentials } = skopeo;
  const over = registryOver(skopeo, configuration, options);
  const asked = quick(over, { configuration, noCredentials, signal, idle });
  const pull = (from: string, folder: string) =>
    digested(pullLayout(from, folder, { skopeo, registry: asked }));
  return retrying({ ...asked, pullLayout: pull }, persist);
}

/** Asks once, and throws RegistryTrouble. */
function registryOver(
  skopeo: Skopeo,
  configuration: ReachConfiguration,
  { folder, signal, idle }: SkopeoOptions & { readonly idle: number },
): PlainRegistry {
  return {
    async manifest(reference) {
      try {
        return describeManifest(await skopeo.inspect(reference), reference);
      } catch (error) {
        if (isAbsent(error, authfileFor(reference, configuration))) return undefined;
        throw error;
      }
    },

    async copy(from, to) {
      const sides = [...skopeo.side('src', from), ...skopeo.side('dest', to)];
      const names = [`docker://${checked(from)}`, `docker://${checked(to)}`];
      return digested(skopeo.copy([...exactly, '--all', ...sides, ...names], folder));
    },

    async pushLayout(layout, to) {
      const side = skopeo.side('dest', to);
      return digested(
        skopeo.copy([...exactly, '--all', ...side, 'oci:.', `docker://${checked(to)}`], layout),
      );
    },

    async blob(repository, digest, limit) {
      const place = {
        ...{ repository: mirrored(checked(repository), configuration.mirrors), digest },
        ...{ authfile: authfileFor(repository, configuration), signal, idle },
      };
      const insecure = isInsecure(place.repository, configuration);
      return fetchBlob({ ...place, insecure }, limit);
    },

    async pullable(reference) {
      const secret = pullSecretFor(reference, configuration);
      return {
        anonymously: await canPull(skopeo, reference, skopeo.noCredentials),
        withSecret: secret === undefined ? null : await canPull(skopeo, reference, secret),
      };
    },
  };
}

/** Signatures name a place: a copy elsewhere would carry wrong ones, and skopeo refuses some targets with them. */
const exactly = ['--preserve-digests', '--remove-signatures'];

async function canPull(skopeo: Skopeo, reference: string, authfile: string): Promise<boolean> {
  try {
    await skopeo.inspect(reference, authfile);
    return true;
  } catch (error) {
    if (error instanceof RegistryTrouble && ['not-found', 'denied'].includes(error.trouble))
      return false;
    throw error;
  }
}

/**
 * Whether a refusal means that there is nothing. Registries that make repositories at the first push
 * (quay.io) deny reading one that is not there yet: with a credential, that is nothing too, and a wrong
 * credential shows at the push.
 */
function isAbsent(error: unknown, authfile: string | undefined): boolean {
  if (!(error instanceof RegistryTrouble)) return false;
  return error.trouble === 'not-found' || (error.trouble === 'denied' && authfile !== undefined);
}

async function digested(text: Promise<string>): Promise<Digest> {
  const digest = parseDigest(await text);
  if (digest === undefined) throw new Error(`skopeo wrote no digest: ${await text}`);
  return digest;
}
