import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { getSystemErrorMessage } from 'node:util';
import { Agent, type Response } from 'undici';
import { z } from 'zod';
import type { Digest } from '../../plan/names.ts';
import { fetchFollowing, isOwn, placeOf } from './follow-redirects.ts';
import { hostOf } from './reach.ts';
import { RegistryTrouble } from './registry-trouble.ts';

/** Where a blob lies and how to get there. */
export interface BlobPlace {
  /** `host/path`, without tag and digest. */
  readonly repository: string;
  readonly digest: Digest;
  /** Plain HTTP (tried first), or a certificate that nobody vouches for. */
  readonly insecure: boolean;
  readonly authfile: string | undefined;
  readonly signal: AbortSignal | undefined;
  /** Milliseconds without a byte after which the registry counts as gone. */
  readonly idle: number;
}

/**
 * Gets one blob by HTTP, at most `limit` bytes, and checks its digest: skopeo has no command for it.
 * Source of the protocol: https://github.com/opencontainers/distribution-spec and the token specification
 * of distribution. Throws RegistryTrouble.
 */
export async function fetchBlob(place: BlobPlace, limit: number): Promise<Buffer> {
  const host = hostOf(place.repository);
  const path = place.repository.slice(host.length + 1);
  const server = host === 'docker.io' ? 'registry-1.docker.io' : host;
  const bytes = await overScheme(place, async (scheme) => {
    const url = `${scheme}://${server}/v2/${path}/blobs/${place.digest}`;
    const response = await getAuthorized(url, path, host, place);
    await demandScheme(response);
    if (!response.ok) {
      await response.body?.cancel();
      throw RegistryTrouble.fromStatus(response.status, url, response.headers.get('retry-after'));
    }
    return readAtMost(response, limit, url);
  });
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  if (digest !== place.digest)
    throw new RegistryTrouble(
      'garbled',
      `${place.repository}: blob ${place.digest} has digest ${digest}`,
    );
  return bytes;
}

/** Does it over HTTPS; where a registry may be insecure, over HTTP first. Throws RegistryTrouble where nothing is heard. */
export async function overScheme<Value>(
  place: Pick<BlobPlace, 'repository' | 'insecure' | 'signal'>,
  get: (scheme: string) => Promise<Value>,
): Promise<Value> {
  let why: NodeJS.ErrnoException | undefined;
  for (const scheme of place.insecure ? ['http', 'https'] : ['https']) {
    try {
      return await get(scheme);
    } catch (error) {
      if (error instanceof RegistryTrouble || place.signal?.aborted) throw error;
      why ??= causeOf(error);
      if (silent.has(why.code ?? '')) break;
    }
  }
  const trouble = why instanceof OtherScheme || isAboutCertificate(why) ? 'other' : 'passing';
  throw new RegistryTrouble(trouble, `${hostOf(place.repository)}: ${inWords(why)}`);
}

/** What is below the `fetch failed` of fetch. */
export function causeOf(error: unknown): NodeJS.ErrnoException {
  return ((error instanceof Error && error.cause) || error) as NodeJS.ErrnoException;
}

class OtherScheme extends Error {}

/** Throws, for {@link overScheme}, where a server may have answered by HTTP that it speaks HTTPS: those in Go and nginx say 400. */
export async function demandScheme({ status, url, body }: Response): Promise<void> {
  if (status !== 400 || !url.startsWith('http:')) return;
  await body?.cancel();
  throw new OtherScheme(`${placeOf(url)} answered 400`);
}

/** Whether the certificate of whoever was asked is none that Node knows, or is of another name: https://nodejs.org/api/tls.html#x509-certificate-error-codes. */
export function isAboutCertificate(cause: NodeJS.ErrnoException | undefined): boolean {
  return /CERT|VERIFY|SELF_SIGNED|ISSUER|ALTNAME/.test(cause?.code ?? '');
}

/** `connection refused`, where the system says what happened. */
function inWords(cause: unknown): string {
  const { errno, code, message } = cause as NodeJS.ErrnoException;
  if (errno !== undefined) return getSystemErrorMessage(errno);
  return message || code || String(cause);
}

/** What no other scheme would mend: nothing listens, or nothing is said. */
const silent = new Set([
  ...['ECONNREFUSED', 'UND_ERR_CONNECT_TIMEOUT'],
  ...['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'],
]);

async function getAuthorized(
  url: string,
  path: string,
  host: string,
  place: BlobPlace,
): Promise<Response> {
  const first = await get(url, {}, place);
  if (!isChallenge(first, url)) return first;
  await first.body?.cancel();
  const challenge = first.headers.get('www-authenticate') ?? '';
  const authorization = await authorizationFor(challenge, { path, host, actions: 'pull' }, place);
  return authorization === undefined ? first : get(url, { authorization }, place);
}

/** Whether an answer asks for a credential, and comes from whom it is for: where a redirect led, none is due. */
export function isChallenge({ status, url }: Response, asked: string | URL): boolean {
  return status === 401 && new URL(url).origin === new URL(asked).origin;
}

/** What is asked for: `pull`, or `pull,push`. */
interface Access {
  readonly path: string;
  readonly host: string;
  readonly actions: string;
}

/** The Authorization header that a registry's challenge (WWW-Authenticate) wants to see; undefined where nothing is known for it. */
export async function authorizationFor(
  header: string,
  access: Access,
  place: Omit<BlobPlace, 'repository' | 'digest'>,
): Promise<string | undefined> {
  const challenge = parseChallenge(header);
  const basic = await readCredential(place.authfile, access.host, access.path);
  return challenge.scheme === 'bearer' ? fetchToken(challenge, access, basic, place) : basic;
}

function get(
  url: string,
  headers: Record<string, string>,
  place: Parameters<typeof authorizationFor>[2],
): Promise<Response> {
  return fetchFollowing(new URL(url), {
    method: 'GET',
    headers,
    dispatcher: agentFor(place),
    ...(place.signal ? { signal: place.signal } : {}),
  });
}

const agents = new Map<string, Agent>();

/** Connections are kept by the agent, and it is the one that knows of time limits. */
export function agentFor({ insecure, idle }: Pick<BlobPlace, 'insecure' | 'idle'>): Agent {
  const name = `${insecure} ${idle}`;
  const known = agents.get(name);
  if (known !== undefined) return known;
  const agent = new Agent({
    ...{ headersTimeout: idle, bodyTimeout: idle },
    connect: { timeout: Math.min(idle, 10_000), rejectUnauthorized: !insecure },
  });
  agents.set(name, agent);
  return agent;
}

interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** `Bearer realm="https://auth.example.com/token",service="registry"`. */
function parseChallenge(header: string): Challenge {
  const [scheme = ''] = header.split(' ', 1);
  const pairs = [...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]);
  return { scheme: scheme.toLowerCase(), parameters: Object.fromEntries(pairs) };
}

async function fetchToken(
  { parameters }: Challenge,
  { path, host, actions }: Access,
  basic: string | undefined,
  place: Parameters<typeof authorizationFor>[2],
): Promise<string | undefined> {
  const realm = parameters['realm'];
  if (realm === undefined || !URL.canParse(realm)) return undefined;
  const url = new URL(realm);
  // The credential is for the registry: never over plain HTTP where the registry has TLS.
  if (url.protocol !== 'https:' && !place.insecure) return undefined;
  // A registry elsewhere has nothing to ask of the services of this machine.
  if (isOwn(url) && !isOwn(new URL(`http://${host}`))) return undefined;
  if (parameters['service'] !== undefined) url.searchParams.set('service', parameters['service']);
  url.searchParams.set('scope', `repository:${path}:${actions}`);
  const response = await get(url.href, basic === undefined ? {} : { authorization: basic }, place);
  if (!response.ok) {
    await response.body?.cancel();
    const after = response.headers.get('retry-after');
    const trouble = RegistryTrouble.fromStatus(response.status, placeOf(url), after);
    if (trouble.trouble === 'passing') throw trouble;
    return undefined;
  }
  const answer = TokenAnswer.safeParse(await readJson(response, tokenLimit, placeOf(url)));
  if (!answer.success) throw new RegistryTrouble('unusable', `${placeOf(url)} sent no token`);
  const token = answer.data.token ?? answer.data.access_token;
  return token === undefined ? undefined : `Bearer ${token}`;
}

/** The largest ones, with many claims, have some ten kilobytes. */
const tokenLimit = 256 * 1024;
const Token = z.string().regex(/^[\x21-\x7e]*$/);
const TokenAnswer = z.object({ token: Token.optional(), access_token: Token.optional() });

async function readJson(response: Response, limit: number, from: string): Promise<unknown> {
  const bytes = await readAtMost(response, limit, from);
  try {
    return JSON.parse(bytes.toString());
  } catch {
    throw new RegistryTrouble('garbled', `${from} sent what is not JSON`);
  }
}

/** The Basic authorization of the configured authfile, or of the user's own where none is configured. */
async function readCredential(
  authfile: string | undefined,
  host: string,
  path: string,
): Promise<string | undefined> {
  const files = authfile === undefined ? ownAuthfiles() : [authfile];
  for (const file of files) {
    const found = findCredential(await readFile(file, 'utf8').catch(() => '{}'), host, path);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Where skopeo looks too: containers-auth.json(5). */
function ownAuthfiles(): string[] {
  const { XDG_RUNTIME_DIR: runtime, REGISTRY_AUTH_FILE: named } = process.env;
  if (named) return [named];
  return [
    ...(runtime ? [join(runtime, 'containers/auth.json')] : []),
    join(homedir(), '.config/containers/auth.json'),
    join(homedir(), '.docker/config.json'),
  ];
}

/** The parser's own message would hold a piece of the file. */
function parseAuthfile(text: string): { auths?: Record<string, { auth?: string }> } {
  try {
    return JSON.parse(text);
  } catch {
    throw new RegistryTrouble('other', 'the authfile is no JSON');
  }
}

/** By the longest path that is named: `quay.io/team/image`, `quay.io/team`, `quay.io`. */
function findCredential(text: string, host: string, path: string): string | undefined {
  const { auths = {} } = parseAuthfile(text);
  const segments = `${host}/${path}`.split('/');
  for (let length = segments.length; length > 0; length--) {
    const auth = auths[segments.slice(0, length).join('/')]?.auth;
    if (auth !== undefined) return `Basic ${auth}`;
  }
  return undefined;
}

/** The body of an answer; throws RegistryTrouble beyond `limit` bytes, whatever their number was said to be. */
export async function readAtMost(response: Response, limit: number, url: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.body ?? []) {
    length += piece.length;
    if (length > limit)
      throw new RegistryTrouble(
        'unusable',
        `${url} is longer than ${limit} bytes, the most that is read`,
      );
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
