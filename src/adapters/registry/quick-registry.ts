import { z } from 'zod';
import { type Digest, parseDigest } from '../../plan/names.ts';
import { digestOf } from '../../steps/oci-layout.ts';
import type { Registry, StoredManifest } from '../../steps/step.ts';
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

/** What is asked of a registry without a look at its manifest before. */
export type PlainRegistry = Omit<Registry, 'pullLayout'>;

interface QuickOptions extends Pick<RepositoryPlace, 'signal' | 'idle'> {
  readonly configuration: ReachConfiguration;
  /** An authfile without credentials. */
  readonly noCredentials: string;
}

/**
 * The same registry by HTTP, without a process for every question. Where an answer is not the plain one, `registry` is asked, which
 * knows this machine's certificates and logins, and what went wrong.
 */
export function quick(registry: PlainRegistry, options: QuickOptions): PlainRegistry {
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
    const { mediaType, digest } = describeManifest(bytes, from);
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
      return found === null ? undefined : describeManifest(found, reference);
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

/**
 * What a registry sent for a reference; throws RegistryTrouble where it is no manifest, another one than the digest asked for, or
 * one that can be read in two ways (https://github.com/advisories/GHSA-77vh-xpmg-72qh).
 */
export function describeManifest(bytes: Buffer, reference: string): StoredManifest {
  const digest = digestOf(bytes);
  const wanted = parseDigest(reference.split('@')[1] ?? '');
  if (wanted !== undefined && wanted !== digest)
    throw new RegistryTrouble(
      'garbled',
      `the manifest ${wanted} that it sent has digest ${digest}`,
    );
  const { mediaType, ...manifest } = parseShape(bytes);
  const isIndex = manifest.manifests !== undefined;
  if (isIndex && (manifest.layers !== undefined || manifest.config !== undefined))
    throw new RegistryTrouble('unusable', 'what it sent is an image and a list of images at once');
  // An OCI manifest need not say what it is.
  const unsaid = `application/vnd.oci.image.${isIndex ? 'index' : 'manifest'}.v1+json`;
  return { digest, mediaType: mediaType ?? unsaid, bytes };
}

const Shape = z.object({
  mediaType: z
    .string()
    .regex(/^[\w.+-]{1,100}\/[\w.+-]{1,100}$/)
    .optional(),
  manifests: z.unknown().optional(),
  layers: z.unknown().optional(),
  config: z.unknown().optional(),
});

function parseShape(bytes: Buffer): z.infer<typeof Shape> {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new RegistryTrouble('garbled', 'the manifest that it sent is not JSON');
  }
  const shape = Shape.safeParse(json);
  if (shape.success) return shape.data;
  throw new RegistryTrouble('unusable', 'what it sent is JSON, but no manifest');
}
