import { FailureError } from '../builds/failure.ts';
import type { App } from './parts.ts';

/**
 * The service trusts whoever reaches it, and only this machine does. A web page in a browser here
 * must not count as this machine: a foreign Host is DNS rebinding, a foreign Origin is a cross-site
 * request.
 */
export function refuseForeignSites(app: App, hosts: readonly string[]): void {
  const known = (host: string | undefined) =>
    host !== undefined && (isLoopbackName(host) || hosts.includes(host));
  app.addHook('onRequest', async (request) => {
    const host = hostName(`http://${request.headers.host ?? ''}`);
    if (!known(host)) refuse(`the host ${request.headers.host || '(none)'}`);
    const { origin } = request.headers;
    if (origin !== undefined && !known(hostName(origin))) refuse(`the origin ${origin}`);
  });
}

function isLoopbackName(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

function hostName(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}

function refuse(what: string): never {
  throw new FailureError({
    reason: 'foreign-origin',
    detail: `The service on this machine does not answer requests with ${what}.`,
    hint: 'Use http://127.0.0.1 or http://localhost; where it has another name, put it into the configuration: `url`.',
  });
}
