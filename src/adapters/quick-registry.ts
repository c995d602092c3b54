import { type Digest, parseDigest } from '../plan/names.ts';
import { digestOf } from '../steps/oci-layout.ts';
import type { Registry, StoredManifest } from '../steps/step.ts';
import {
  authfileFor,
  isInsecure,
  mirrored,
  pullSecretFor,
  type ReachConfiguration,
} from './reach.ts';
import {
  canRead,
  getManifest,
  putLayout,
  putManifest,
  type RepositoryPlace,
} from './registry-http.ts';
import { RegistryTrouble } from './registry-trouble.ts';
import { checked } from './skopeo.ts';

interface QuickOptions extends Pick<RepositoryPlace, 'signal' | 'idle'> {
  readonly configuration: ReachConfiguration;
  /** An authfile without credentials. */
  readonly noCredentials: string;
}

/**
 * The same registry by HTTP, without a process for every question. Where an answer is not the plain one, `registry` is asked, which
 * knows this machine's certificates and logins, and what went wrong.
 */
export function quick(registry: Registry, options: QuickOptions): Registry {
  const { configuration, noCredentials, signal, idle } = options;

  /** Where a reference is reached, and its tag or digest. */
  const placed = (
    reference: string,
    mirrors = configuration.mirrors,
  ): [RepositoryPlace, string] => {
    const found = mirrored(checked(reference), mirrors);
    const [, repository = '', name = ''] =
      /^(.*?)[:@](sha256:[0-9a-f]{64}|[^:/@]+)$/.exec(found) ?? [];
    const insecure = isInsecure(found, configuration);
    const authfile = authfileFor(reference, configuration);
    return [{ repository, insecure, authfile, signal, idle }, name];
  };
  const target = (reference: string) => placed(reference, {});

  /** Another tag in the same repository: nothing has to be copied. */
  const retag = async (from: string, to: string): Promise<Digest | undefined> => {
    const [source, aim] = [target(from), target(to)];
    if (source[0].repository !== aim[0].repository) return undefined;
    const bytes = await getManifest(...source);
    if (bytes === undefined || bytes === null) return undefined;
    const { mediaType, digest } = describeManifest(bytes);
    return (await putManifest(...aim, bytes, mediaType)) ? digest : undefined;
  };

  const isReadable = (reference: string, authfile: string) => {
    const [place, name] = placed(reference);
    return canRead({ ...place, authfile }, name);
  };

  return {
    ...registry,
    async manifest(reference) {
      const found = await getManifest(...placed(reference));
      if (found === undefined) return registry.manifest(reference);
      return found === null ? undefined : describeManifest(found);
    },
    copy: async (from, to) => (await retag(from, to)) ?? registry.copy(from, to),
    async pushLayout(folder, to) {
      const digest = parseDigest((await putLayout(...target(to), folder)) ?? '');
      return digest ?? registry.pushLayout(folder, to);
    },
    async pullable(reference) {
      const secret = pullSecretFor(reference, configuration);
      const anonymously = await isReadable(reference, noCredentials);
      const withSecret = secret === undefined ? null : await isReadable(reference, secret);
      if (anonymously === undefined || withSecret === undefined)
        return registry.pullable(reference);
      return { anonymously, withSecret };
    },
  };
}

/** The manifest in these bytes; throws RegistryTrouble where they are none. */
export function describeManifest(bytes: Buffer): StoredManifest {
  const manifest = parseJson(bytes) as { mediaType?: string; manifests?: unknown };
  const kind = manifest.manifests === undefined ? 'manifest' : 'index';
  return {
    digest: digestOf(bytes),
    // An OCI manifest need not say what it is.
    mediaType: manifest.mediaType ?? `application/vnd.oci.image.${kind}.v1+json`,
    bytes,
  };
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new RegistryTrouble('garbled', 'the manifest that it sent is not JSON');
  }
}
