import { fetch, type RequestInit, type Response } from 'undici';
import { RegistryTrouble } from './registry-trouble.ts';

/** Registries send their readers to a storage, which may send them on once or twice. */
const mostRedirects = 5;
const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

interface Ask extends Omit<RequestInit, 'redirect' | 'headers'> {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * `fetch`, but a registry leads us only so far: what reads follows a few redirects, to HTTP servers that the registry could have
 * named itself, and our credential stays with the host that it is for. What writes follows none. Throws RegistryTrouble.
 */
export async function fetchFollowing(url: URL, { headers, ...ask }: Ask): Promise<Response> {
  let at = url;
  let sent = headers;
  for (let left = mostRedirects; ; left--) {
    const response = await fetch(at, { ...ask, headers: sent, redirect: 'manual' });
    const location = response.headers.get('location');
    const reads = ask.method === 'GET' || ask.method === 'HEAD';
    if (!reads || !redirects.has(response.status) || location === null) return response;
    await response.body?.cancel();
    const next = URL.canParse(location, at.href) ? new URL(location, at) : undefined;
    const problem = left === 0 ? 'redirects without end' : misleading(at, next);
    if (next === undefined || problem !== undefined)
      throw new RegistryTrouble('unusable', `${placeOf(url)} ${problem}`);
    if (next.origin !== at.origin) sent = withoutCredential(sent);
    at = next;
  }
}

/** A URL for people and logs: signatures and passwords are left out. */
export function placeOf(url: URL | string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

function withoutCredential({ authorization: _, ...others }: Ask['headers']): Ask['headers'] {
  return others;
}

/** What is wrong with where a redirect leads. A registry elsewhere has nothing to seek at services of this machine. */
function misleading(from: URL, to: URL | undefined): string | undefined {
  if (to === undefined) return 'redirects to what is no address';
  if (to.protocol !== 'https:' && to.protocol !== 'http:') return `redirects to ${to.protocol}`;
  if (to.protocol === 'http:' && from.protocol === 'https:')
    return `redirects from HTTPS to plain HTTP at ${to.host}`;
  if (isOwn(to) && !isOwn(from)) return `redirects to ${to.host}, which is this machine`;
  return undefined;
}

/** Loopback, the unspecified address, or link-local ones, where clouds answer with credentials of the machine. */
export function isOwn({ hostname }: URL): boolean {
  return (
    /^(127|0)(\.\d+){3}$|^169\.254\.|(^|\.)localhost\.?$/.test(hostname) ||
    /^\[(::1?|::ffff:(7f|0:|a9fe).*|fe[89ab].*)\]$/.test(hostname)
  );
}
