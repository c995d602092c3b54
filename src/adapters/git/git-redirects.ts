import { type Failure, FailureError } from '../../builds/failure.ts';
import { GitError } from './git-failure.ts';
import { type GitSetting, type GitSettings, reachedUrl } from './git-settings.ts';

/** Forges know where a repository that was renamed twice is now. */
const mostHops = 3;

/** Runs git with these settings besides its own. */
type RunWith<Value> = (config: readonly GitSetting[]) => Promise<Value>;

/**
 * Follows redirects in git's place: to another path of the same host, where forges send whoever uses the old name of a
 * repository. Elsewhere it would show our credential, and ask hosts that are not allowed: that is a failure, with the target.
 * `trace` asks a server once more, with {@link traceEnvironment}, and gives what git said on stderr.
 */
export function createRedirects(
  settings: GitSettings,
  trace: (server: string, config: readonly GitSetting[]) => Promise<{ readonly stderr: string }>,
): <Value>(server: string, ask: RunWith<Value>) => Promise<Value> {
  const moved = new Map<string, string>();
  const configAt = (server: string): readonly GitSetting[] => {
    const target = moved.get(server);
    return target === undefined ? [] : [[`url.${target}.insteadOf`, server]];
  };
  const nextHop = async (server: string): Promise<string> => {
    const location = locationIn(await stderrOf(trace(server, configAt(server))));
    const target = repositoryOf(location, moved.get(server) ?? reachedUrl(settings, server));
    if (target === undefined) throw new FailureError(redirected(server, location));
    return target;
  };
  return async (server, ask) => {
    try {
      for (let hops = 0; hops <= mostHops; hops += 1) {
        const answer = await unlessRedirected(ask(configAt(server)));
        if (answer !== undefined) return answer;
        moved.set(server, await nextHop(server));
      }
      throw new FailureError(redirected(server, moved.get(server)));
    } catch (error) {
      // It may have moved back, or on.
      moved.delete(server);
      throw error;
    }
  };
}

/** Git says where it was sent in its trace alone, in which it hides credentials. */
export const traceEnvironment = {
  GIT_TRACE_CURL: '1',
  GIT_TRACE_CURL_NO_DATA: '1',
  GIT_TRACE_REDACT: '1',
} as const;

async function unlessRedirected<Value>(asked: Promise<Value>): Promise<Value | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof GitError && /returned error: 30[12378]/.test(error.stderr))
      return undefined;
    throw error;
  }
}

async function stderrOf(asked: Promise<{ readonly stderr: string }>): Promise<string> {
  try {
    return (await asked).stderr;
  } catch (error) {
    if (error instanceof GitError) return error.stderr;
    throw error;
  }
}

function locationIn(trace: string): string | undefined {
  return /^.*<= Recv header: location: *(\S+)\s*$/im.exec(trace)?.[1]?.slice(0, 500);
}

/** The repository at the same host that a redirect leads to; undefined where it leads elsewhere. */
function repositoryOf(location: string | undefined, from: string): string | undefined {
  const target = location === undefined ? null : URL.parse(location, `${from}/info/refs`);
  const origin = URL.parse(from);
  const path = /^(.*)\/(info\/refs|git-upload-pack)$/.exec(target?.pathname ?? '')?.[1];
  if (target === null || origin === null || path === undefined) return undefined;
  if (target.host !== origin.host || target.protocol !== origin.protocol) return undefined;
  return `${target.origin}${path}`;
}

function redirected(url: string, location: string | undefined): Failure {
  const target = location?.replace(/\/info\/refs(\?.*)?$/, '').replace(/\/\/[^/?#]*@/, '//…@');
  return {
    reason: 'host-not-allowed',
    detail: `${url}: the git server sends us on to ${target === undefined ? 'another address' : JSON.stringify(target)}; redirects to other hosts, or to what is no repository, are not followed.`,
    hint: 'If the code has moved, name its new address where the old one stands: in the ref, in upstream_sources.yaml or in product.yaml. The new host must be among `hosts` of the configuration. A page to sign in means that the repository needs a credential (git.credentials).',
  };
}
