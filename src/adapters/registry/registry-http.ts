import { openAsBlob } from 'node:fs';
import { join } from 'node:path';
import type { Response } from 'undici';
import { type Descriptor, manifestLimit, readBlob, readLayout } from '../../steps/oci-layout.ts';
import {
  agentFor,
  authorizationFor,
  causeOf,
  demandScheme,
  isAboutCertificate,
  isChallenge,
  overScheme,
  readAtMost,
} from './blob.ts';
import { fetchFollowing, placeOf } from './follow-redirects.ts';
import { hostOf } from './reach.ts';
import { RegistryTrouble } from './registry-trouble.ts';

/** A repository, where it is reached. */
export interface RepositoryPlace {
  /** `host/path`, mirrors put in. */
  readonly repository: string;
  /** Plain HTTP. */
  readonly insecure: boolean;
  readonly authfile: string | undefined;
  readonly signal: AbortSignal | undefined;
  /** Milliseconds without a byte after which a registry counts as gone. */
  readonly idle: number;
}

/** What a registry answered: bytes; null: it has no such thing; undefined: anything else, which skopeo is asked about. */
type Answer = Buffer | null | undefined;

/**
 * The short way to a registry: its own protocol (https://github.com/opencontainers/distribution-spec), a millisecond or two for
 * what costs the start of a process with skopeo. Where an answer is not one of the usual ones, skopeo is asked: certificates and logins
 * of this machine are its business. Trouble that may pass is thrown as RegistryTrouble.
 */
export async function getManifest(place: RepositoryPlace, reference: string): Promise<Answer> {
  return usually(place, async (call) => {
    const accept = { headers: { accept: manifestTypes } };
    const response = await call('GET', `manifests/${reference}`, accept);
    if (response.status === 200)
      return readAtMost(response, manifestLimit, `manifest ${reference}`);
    await response.body?.cancel();
    return response.status === 404 ? null : undefined;
  });
}

/** Whether a manifest can be read with what the place's authfile holds; undefined: ask skopeo. */
export async function canRead(
  place: RepositoryPlace,
  reference: string,
): Promise<boolean | undefined> {
  return usually(place, async (call) => {
    const accept = { headers: { accept: manifestTypes } };
    const response = await call('GET', `manifests/${reference}`, accept);
    await response.body?.cancel();
    if (response.status === 200) return true;
    return [401, 403, 404].includes(response.status) ? false : undefined;
  });
}

/** Puts a manifest whose blobs the repository has; true where it took it. */
export async function putManifest(
  place: RepositoryPlace,
  reference: string,
  bytes: Buffer,
  mediaType: string,
): Promise<boolean> {
  const put = await usually(place, async (call) => {
    const headers = { 'content-type': mediaType };
    const response = await call('PUT', `manifests/${reference}`, { headers, body: bytes });
    await response.body?.cancel();
    return response.status === 201;
  });
  return put === true;
}

/** Pushes the only image of an OCI layout folder and gives its digest; undefined: ask skopeo. */
export async function putLayout(
  place: RepositoryPlace,
  reference: string,
  folder: string,
): Promise<string | undefined> {
  const { digest, manifest } = await readLayout(folder);
  const blobs = [manifest.config, ...manifest.layers];
  const put = await Promise.all(blobs.map((blob) => putBlob(place, blob, folder)));
  if (!put.every((there) => there === true)) return undefined;
  const mediaType = manifest.mediaType ?? 'application/vnd.oci.image.manifest.v1+json';
  const known = { digest, mediaType, size: manifestLimit };
  const bytes = await readBlob(folder, known, manifestLimit);
  return (await putManifest(place, reference, bytes, mediaType)) ? digest : undefined;
}

function putBlob(
  place: RepositoryPlace,
  blob: Descriptor,
  folder: string,
): Promise<boolean | undefined> {
  return usually(place, async (call) => {
    const there = await call('HEAD', `blobs/${blob.digest}`);
    if (there.status === 200) return true;
    const begun = await call('POST', 'blobs/uploads/');
    await begun.body?.cancel();
    const location = begun.headers.get('location');
    if (there.status !== 404 || begun.status !== 202 || location === null) return false;
    const target = new URL(location, begun.url);
    // An upload may be sent elsewhere; our credential may not.
    if (target.origin !== new URL(begun.url).origin) return false;
    target.searchParams.set('digest', blob.digest);
    const body = await openAsBlob(join(folder, 'blobs', ...blob.digest.split(':')));
    const headers = { 'content-type': 'application/octet-stream' };
    const put = await call('PUT', target, { headers, body });
    await put.body?.cancel();
    return put.status === 201;
  });
}

const manifestTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');

/** Answers as authorized, by repository and what may be done there: a registry asks for the same each time. */
const authorizations = new Map<string, { readonly header: string; readonly until: number }>();

interface Message {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | Blob;
}

type Call = (method: string, target: string | URL, message?: Message) => Promise<Response>;

async function send(
  scheme: string,
  place: RepositoryPlace,
  method: string,
  target: string | URL,
  { headers = {}, body }: Message,
): Promise<Response> {
  const { repository, authfile, signal } = place;
  const dispatcher = agentFor(place);
  const host = hostOf(repository);
  const given = host === 'docker.io' && !repository.startsWith('docker.io/');
  const name = given ? repository : repository.slice(host.length + 1);
  const path = host === 'docker.io' && !name.includes('/') ? `library/${name}` : name;
  const server = host === 'docker.io' ? 'registry-1.docker.io' : host;
  const base = `${scheme}://${server}/v2/${path}/`;
  const url = typeof target === 'string' ? new URL(target, base) : target;
  const actions = method === 'GET' ? 'pull' : 'pull,push';
  const memory = `${authfile} ${host}/${path} ${actions}`;
  const attempt = (authorization?: string) =>
    fetchFollowing(url, {
      ...{ method, dispatcher },
      headers: { ...headers, ...(authorization !== undefined && { authorization }) },
      ...(body !== undefined && { body }),
      ...(signal !== undefined && { signal }),
    });
  const known = authorizations.get(memory);
  const first = await attempt(known && known.until > Date.now() ? known.header : undefined);
  if (!isChallenge(first, url)) return first;
  await first.body?.cancel();
  const challenge = first.headers.get('www-authenticate') ?? '';
  const header = await authorizationFor(challenge, { path, host, actions }, place);
  if (header === undefined) return first;
  // A token lives a minute at least, says its specification.
  authorizations.set(memory, { header, until: Date.now() + 50_000 });
  return attempt(header);
}

/** Undefined where a certificate is not known to Node: the machine, and so skopeo, may know it. */
async function usually<Value>(
  place: RepositoryPlace,
  work: (call: Call) => Promise<Value>,
): Promise<Value | undefined> {
  return overScheme(place, async (scheme) => {
    const call: Call = async (method, target, message = {}) => {
      const response = await send(scheme, place, method, target, message);
      await demandScheme(response);
      const { status, url, headers } = response;
      const trouble = RegistryTrouble.fromStatus(status, placeOf(url), headers.get('retry-after'));
      if (status < 400 || trouble.trouble !== 'passing') return response;
      await response.body?.cancel();
      throw trouble;
    };
    try {
      return await work(call);
    } catch (error) {
      if (isAboutCertificate(causeOf(error))) return undefined;
      throw error;
    }
  });
}
