import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { type Digest, parseDigest } from '../plan/names.ts';
import type { Registry, StoredManifest } from '../steps/step.ts';
import { fetchBlob } from './blob.ts';
import {
  authfileFor,
  isInsecure,
  mirrored,
  pullSecretFor,
  type ReachConfiguration,
} from './reach.ts';
import { RegistryTrouble, registryUnavailable } from './registry-trouble.ts';
import { checked, createSkopeo, type Skopeo, type SkopeoOptions } from './skopeo.ts';

/** The {@link Registry} over skopeo, reaching registries as the configuration says. */
export async function createRegistry(
  configuration: ReachConfiguration,
  options: SkopeoOptions,
): Promise<Registry> {
  const skopeo = await createSkopeo(configuration, options);
  return {
    manifest: (reference) =>
      reporting(reference, async () => {
        try {
          return describeManifest(await skopeo.inspect(reference));
        } catch (error) {
          if (isAbsent(error, authfileFor(reference, configuration))) return undefined;
          throw error;
        }
      }),

    copy: (from, to) =>
      reporting(to, () => {
        const sides = [...skopeo.side('src', from), ...skopeo.side('dest', to)];
        const names = [`docker://${checked(from)}`, `docker://${checked(to)}`];
        return digested(skopeo.copy([...exactly, '--all', ...sides, ...names], options.folder));
      }),

    pushLayout: (folder, to) =>
      reporting(to, () => {
        const side = skopeo.side('dest', to);
        return digested(
          skopeo.copy([...exactly, '--all', ...side, 'oci:.', `docker://${checked(to)}`], folder),
        );
      }),

    pullLayout: (from, folder) => reporting(from, () => digested(pullLayout(skopeo, from, folder))),

    blob: (repository, digest, limit) =>
      reporting(repository, () => {
        const place = {
          ...{ repository: mirrored(checked(repository), configuration.mirrors), digest },
          ...{ authfile: authfileFor(repository, configuration), signal: options.signal },
        };
        const insecure = isInsecure(place.repository, configuration);
        return skopeo.patiently(() => fetchBlob({ ...place, insecure }, limit));
      }),

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

async function pullLayout(skopeo: Skopeo, from: string, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  // Docker's media types have no place in an OCI layout: only such an image is converted, and its digest changes.
  const format = ['--remove-signatures', '--format', 'oci'];
  const names = [`docker://${checked(from)}`, 'oci:.'];
  return skopeo.copy([...format, ...skopeo.side('src', from), ...names], folder);
}

async function canPull(skopeo: Skopeo, reference: string, authfile: string): Promise<boolean> {
  return reporting(reference, async () => {
    try {
      await skopeo.inspect(reference, authfile);
      return true;
    } catch (error) {
      if (error instanceof RegistryTrouble && ['not-found', 'denied'].includes(error.trouble))
        return false;
      throw error;
    }
  });
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

async function reporting<Value>(reference: string, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof RegistryTrouble ? registryUnavailable(reference, error) : error;
  }
}

async function digested(text: Promise<string>): Promise<Digest> {
  const digest = parseDigest(await text);
  if (digest === undefined) throw new Error(`skopeo wrote no digest: ${await text}`);
  return digest;
}

function describeManifest(bytes: Buffer): StoredManifest {
  const manifest = JSON.parse(bytes.toString('utf8')) as {
    mediaType?: string;
    manifests?: unknown;
  };
  const kind = manifest.manifests === undefined ? 'manifest' : 'index';
  return {
    digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest,
    // An OCI manifest need not say what it is.
    mediaType: manifest.mediaType ?? `application/vnd.oci.image.${kind}.v1+json`,
    bytes,
  };
}
