import { tokenSourceOf } from '../adapters/cluster/connection.ts';
import { readCurrentContext } from '../adapters/cluster/kubeconfig.ts';
import { FailureError } from '../builds/failure.ts';

/** Proves to a service who calls. */
export interface TokenSource {
  /** What was given for this service: sent with every request. */
  readonly given?: string | undefined;
  /** Asked once a service wants to know who calls. Throws FailureError where there is none. */
  find(): Promise<string>;
}

/** `--token` or TRIBUTARY_TOKEN, else the token of the current context of the kubeconfig. */
export function callerToken(
  given: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): TokenSource {
  return { given, find: () => findToken(environment) };
}

async function findToken(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const { name, file, user } = await readCurrentContext(environment);
  const token = await tokenSourceOf(user)();
  if (token !== undefined && token !== '') return token;
  throw new FailureError({
    reason: 'not-authenticated',
    detail: `The service asks who calls, and the context ${name} of ${file} ${whyNone(user)}.`,
    hint: 'Give a token: TRIBUTARY_TOKEN="$(oc whoami -t)" in the environment; without OpenShift, "$(kubectl create token SERVICEACCOUNT)".',
  });
}

function whyNone(user: Awaited<ReturnType<typeof readCurrentContext>>['user']): string {
  if (user?.exec)
    return `gets a certificate from the program ${user.exec.command}, which proves something to the cluster alone, and no token`;
  if (user?.['auth-provider'])
    return `gets its token from ${user['auth-provider'].name}, which is not asked here`;
  const certificate = user?.['client-certificate'] ?? user?.['client-certificate-data'];
  if (certificate !== undefined)
    return 'has a certificate, which proves something to the cluster alone, and no token';
  return 'has no token';
}
