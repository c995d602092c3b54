import { failed, ok, type Result } from '../builds/result.ts';
import { forgeOf } from './repository.ts';

/** What a ref text is made of, before anyone asks what its path means. */
export interface Address {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  /** Path segments, decoded; never empty, `.` or `..`. */
  readonly segments: readonly string[];
  readonly query: string;
  /** What follows `#`, decoded; undefined where there is no `#`. */
  readonly fragment: string | undefined;
}

/** Why a text is no ref, and (where it is known at once) what to write instead. */
export interface RefProblem {
  readonly detail: string;
  readonly hint?: string;
}

export type Reading<Value> = Result<Value, RefProblem>;

/**
 * Takes apart a URL (`https`, `http`, `ssh`), an scp-like address (`git@host:owner/repo.git`) or the
 * address of a public forge without its scheme. Undefined where the text looks like none of them.
 * SSH is read as HTTPS of the same host: one spelling for one source, and there are no SSH keys here.
 */
export function readAddress(text: string): Reading<Address> | undefined {
  const withScheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(\?[^#]*)?(?:#(.*))?$/s.exec(
    text,
  );
  if (withScheme !== null) return readUrl(withScheme);
  const scp = /^([^/@:#]+)@(\[[0-9A-Fa-f:.]+\]|[^/@:#]+):([^#]*)(?:#(.*))?$/s.exec(text);
  if (scp !== null) {
    const [, , host = '', path = '', fragment] = scp;
    return assemble('https', host, path, '', fragment);
  }
  if (/^[A-Za-z][A-Za-z0-9+.-]*:/.test(text)) return failed(unknownScheme(text));
  const host = /^(?:www\.)?([^/]+)\//i.exec(text)?.[1]?.toLowerCase();
  if (host !== undefined && forgeOf(host) !== undefined) return readAddress(`https://${text}`);
  return undefined;
}

function readUrl(match: RegExpExecArray): Reading<Address> {
  const [text, scheme = '', authority = '', path = '', query = '', fragment] = match;
  const at = authority.lastIndexOf('@');
  const host = authority.slice(at + 1);
  switch (scheme.toLowerCase()) {
    case 'https':
    case 'http':
      if (at >= 0) return failed(credentials);
      return assemble(
        scheme.toLowerCase() === 'http' ? 'http' : 'https',
        host,
        path,
        query,
        fragment,
      );
    case 'ssh':
      if (authority.slice(0, Math.max(at, 0)).includes(':')) return failed(credentials);
      return assemble('https', host.replace(/:\d+$/, ''), path, query, fragment);
    default:
      return failed(unknownScheme(text));
  }
}

const credentials: RefProblem = {
  detail: 'it carries a user name or password',
  hint: 'Never put a credential into a ref, and change it if it was a real one: credentials of private hosts belong into the configuration (git.credentials).',
};

function unknownScheme(text: string): RefProblem {
  const scheme = text.slice(0, text.indexOf(':'));
  return {
    detail: `"${scheme}:" is no way to name code here; https, http and ssh are`,
    hint: 'Write an https URL such as https://github.com/tektoncd/pipeline/pull/4638.',
  };
}

function assemble(
  scheme: 'http' | 'https',
  authority: string,
  path: string,
  query: string,
  fragment: string | undefined,
): Reading<Address> {
  const host = cleanHost(scheme, authority);
  if (host === undefined) return failed({ detail: 'its host name is not valid' });
  const decoded = [decode(path), decode(fragment ?? '')] as const;
  const [cleanPath, cleanFragment] = decoded;
  if (cleanPath === undefined || cleanFragment === undefined) {
    return failed({ detail: 'its percent-encoding is broken' });
  }
  const segments = cleanPath.replace(/^\/+|\/+$/g, '').split('/');
  if (segments.includes('..') || segments.includes('.')) {
    return failed({ detail: 'its path contains "." or ".."' });
  }
  if (segments.includes('')) {
    return failed({
      detail: segments.length === 1 ? 'it names no repository' : 'its path contains "//"',
    });
  }
  const rest = fragment === undefined ? undefined : cleanFragment;
  return ok({ scheme, host, segments, query: query.slice(1), fragment: rest });
}

/** Host in lower case, without `www.`, a closing dot or the scheme's own port. */
function cleanHost(scheme: 'http' | 'https', authority: string): string | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9](?:[-a-z0-9_.]*[a-z0-9])?)\.?(?::(\d{1,5}))?$/.exec(
    authority.toLowerCase(),
  );
  const name = match?.[1]?.replace(/^www\.(?=[^.]+\.)/, '');
  if (name === undefined || name.includes('..') || name.length > 253) return undefined;
  const port = match?.[2] === undefined ? undefined : Number(match[2]);
  if (port !== undefined && (port < 1 || port > 65535)) return undefined;
  return port === undefined || port === (scheme === 'http' ? 80 : 443) ? name : `${name}:${port}`;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
